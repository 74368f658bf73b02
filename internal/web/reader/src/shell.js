// The page around the book: its words, what the reader chose, panels, keys.

const body = document.body
const words = JSON.parse(body.dataset.words)

export const data = body.dataset
export const $ = id => document.getElementById(id)

// t is the message for a key; {1}, {2} stand for the arguments.
export const t = (key, ...args) =>
    (words[key] ?? key).replace(/\{(\d)\}/g, (_, n) => args[n - 1] ?? '')

// What is kept stays in this browser. A browser that keeps nothing still reads.
export const keep = {
    get(key, otherwise) {
        try {
            return JSON.parse(localStorage.getItem('wenlan:' + key)) ?? otherwise
        } catch {
            return otherwise
        }
    },
    set(key, value) {
        try {
            localStorage.setItem('wenlan:' + key, JSON.stringify(value))
        } catch {
            // full or forbidden: the position is lost, the book is not
        }
    },
}

export const settings = {
    theme: 'auto', flow: 'paginated', spacing: 'normal', size: 100, zoom: 100,
    ...keep.get('reader', {}),
}

const night = matchMedia('(prefers-color-scheme: dark)')

// theme is the colour in force: light, sepia or dark.
export const theme = () => settings.theme === 'auto' ? (night.matches ? 'dark' : 'light') : settings.theme

let changed = () => {}
const apply = () => {
    document.documentElement.dataset.theme = theme()
    keep.set('reader', settings)
    changed()
}

// onSettings names what is done when the reader chooses something.
export const onSettings = f => changed = f

const setupSettings = () => {
    document.documentElement.dataset.theme = theme()
    night.addEventListener('change', apply)
    for (const name of ['theme', 'flow', 'spacing'])
        for (const input of document.querySelectorAll(`input[name=${name}]`)) {
            input.checked = input.value === settings[name]
            input.addEventListener('change', () => {
                settings[name] = input.value
                apply()
            })
        }
    const fixed = ['pdf', 'comic'].includes(data.form)
    const key = fixed ? 'zoom' : 'size'
    const show = () => $('size').textContent = settings[key] + '%'
    const step = by => {
        const steps = [50, 60, 70, 80, 90, 100, 110, 120, 135, 150, 175, 200, 250, 300]
        const at = steps.findIndex(s => s >= settings[key])
        settings[key] = steps[Math.max(0, Math.min(steps.length - 1, at + by))]
        show()
        apply()
    }
    $('smaller').addEventListener('click', () => step(-1))
    $('larger').addEventListener('click', () => step(1))
    show()
    return step
}

// show opens a panel; the browser keeps the focus in it and Escape closes it.
const show = panel => {
    if (!panel.open) panel.showModal()
}

const setupPanels = () => {
    for (const name of ['contents', 'search', 'settings'])
        $('open-' + name).addEventListener('click', () => show($(name)))
    for (const panel of document.querySelectorAll('dialog')) {
        panel.addEventListener('click', e => {
            if (e.target === panel || e.target.closest('.close')) panel.close()
        })
    }
    $('link-stay').addEventListener('click', () => $('link').close())
    $('link-open').addEventListener('click', () => $('link').close())
}

// askLink asks before a link leaves the library. An address of another kind is
// shown and not opened.
export const askLink = (href, allowed) => {
    let address = href
    try {
        address = new URL(href).href
    } catch {
        allowed = false
    }
    $('link-text').textContent = t(allowed ? 'link-text' : 'link-refused')
    $('link-address').textContent = address.slice(0, 2000)
    const open = $('link-open')
    open.hidden = !allowed
    if (allowed) open.href = address
    else open.removeAttribute('href')
    show($('link'))
}

// fillContents shows the contents as text; go is called with what was chosen.
export const fillContents = (items, go) => {
    const buttons = new Map()
    const list = (items, depth) => {
        const ol = document.createElement('ol')
        for (const item of items.slice(0, 20000)) {
            const li = document.createElement('li')
            const label = document.createElement(item.href || item.dest ? 'button' : 'span')
            label.textContent = (item.label ?? '').slice(0, 1000) || '·'
            if (label.localName === 'button') {
                label.type = 'button'
                label.addEventListener('click', () => {
                    $('contents').close()
                    go(item)
                })
            }
            buttons.set(item, label)
            li.append(label)
            if (item.subitems?.length && depth < 12) li.append(list(item.subitems, depth + 1))
            ol.append(li)
        }
        return ol
    }
    $('contents-list').replaceChildren(list(items, 0))
    $('open-contents').disabled = !items.length
    let current
    $('open-contents').addEventListener('click', () => current?.scrollIntoView({ block: 'center' }))
    return item => {
        current?.removeAttribute('aria-current')
        current = buttons.get(item)
        current?.setAttribute('aria-current', 'true')
    }
}

// setupSearch runs find(query, signal), an async iterator of {label} and
// {excerpt: {pre, match, post}, go}, and lists what it gives.
export const setupSearch = (find, clear) => {
    const most = 500
    let run
    const start = async () => {
        run?.abort()
        const query = $('query').value.trim()
        $('results').replaceChildren()
        clear?.()
        $('search-state').textContent = ''
        if (!query) return
        const mine = run = new AbortController()
        let n = 0
        $('search-state').textContent = t('search-running')
        try {
            for await (const hit of find(query, mine.signal)) {
                if (mine.signal.aborted) return
                const li = document.createElement('li')
                if (hit.label != null) {
                    li.className = 'chapter'
                    li.textContent = hit.label
                } else {
                    const button = document.createElement('button')
                    button.type = 'button'
                    const mark = document.createElement('mark')
                    mark.textContent = hit.excerpt.match
                    button.append(hit.excerpt.pre, mark, hit.excerpt.post)
                    button.addEventListener('click', () => {
                        $('search').close()
                        hit.go()
                    })
                    li.append(button)
                    n++
                }
                $('results').append(li)
                if (n >= most) break
            }
        } catch (e) {
            console.warn(e)
        }
        $('search-state').textContent = n ? t('search-found', n >= most ? n + '+' : n) : t('search-none')
    }
    $('search-go').addEventListener('click', start)
    $('query').addEventListener('keydown', e => {
        if (e.key === 'Enter' && !e.isComposing) start()
    })
    $('open-search').disabled = false
}

// Keys work on the page and in the frames of the book, which pass theirs on.
export const setupKeys = actions => e => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return
    if (document.querySelector('dialog[open]')) return
    const target = e.target
    if (target?.closest?.('input, textarea, select, [contenteditable]')) return
    const onButton = target?.closest?.('button, a[href]')
    const key = e.key === ' ' && e.shiftKey ? 'Shift ' : e.key
    if (onButton && (key === ' ' || key === 'Enter')) return
    const action = {
        'ArrowLeft': actions.left, 'ArrowRight': actions.right,
        'PageUp': actions.previous, 'PageDown': actions.next, ' ': actions.next, 'Shift ': actions.previous,
        'ArrowUp': actions.up, 'ArrowDown': actions.down,
        'Home': actions.first, 'End': actions.last,
        '+': actions.larger, '=': actions.larger, '-': actions.smaller,
        't': () => !$('open-contents').disabled && show($('contents')),
        '/': () => !$('open-search').disabled && show($('search')),
        's': () => show($('settings')),
    }[key]
    if (action && action() !== false) e.preventDefault()
}

// ready takes the notice away once the first page is shown.
export const ready = () => {
    $('status').hidden = true
    for (const id of ['left', 'right', 'position']) $(id).disabled = false
    body.dataset.opened = Math.round(performance.now())
    body.dataset.ready = 'true'
}

export const fail = error => {
    console.error(error)
    $('status').hidden = true
    const failure = $('failure')
    failure.hidden = false
    failure.firstElementChild.textContent = t('failed')
    body.dataset.ready = 'failed'
}

// what comes out of the book is in the book's language
for (const id of ['contents-list', 'results', 'where']) if (data.lang) $(id).lang = data.lang

setupPanels()
export const resize = setupSettings()
