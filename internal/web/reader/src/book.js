// The reader of EPUB, comics and text, on foliate-js.

import './polyfill.js'
import 'foliate-js/view.js'
import { openBook } from './source.js'
import { mayOpen } from './clean.js'
import { chapterStyles } from './chapter-styles.js'
import {
    $, t, data, keep, settings, theme, onSettings, askLink, fillContents, setupSearch, setupKeys, ready, fail, resize,
} from './shell.js'

const view = document.createElement('foliate-view')
const place = 'place:' + data.key

const turn = {
    left: () => view.goLeft(),
    right: () => view.goRight(),
    next: () => view.next(),
    previous: () => view.prev(),
    first: () => view.goToFraction(0),
    last: () => view.goToFraction(1),
    larger: () => resize(1),
    smaller: () => resize(-1),
    up: () => scrolled() ? view.prev(60) : false,
    down: () => scrolled() ? view.next(60) : false,
}
const onKey = setupKeys(turn)
const scrolled = () => view.renderer.getAttribute('flow') === 'scrolled'

const style = () => {
    const { renderer } = view
    if (view.isFixedLayout) {
        if (settings.zoom === 100) renderer.setAttribute('zoom', 'fit-page')
        else renderer.setAttribute('zoom', zoomed())
        return
    }
    renderer.setAttribute('max-inline-size', Math.round(6.4 * settings.size) + 'px')
    if (renderer.getAttribute('flow') !== settings.flow) renderer.setAttribute('flow', settings.flow)
    renderer.setStyles(chapterStyles(theme(), settings))
}

// The library takes a zoom as a plain scale of the page, so the one that fits is
// found first.
const zoomed = () => {
    const frame = view.renderer.getContents()[0]?.doc?.defaultView?.frameElement
    if (!frame) return 'fit-page'
    const box = view.getBoundingClientRect()
    const fit = Math.min(box.width / frame.offsetWidth, box.height / frame.offsetHeight)
    return (fit * settings.zoom / 100).toFixed(3)
}

// point is where on our page something in a frame happened.
const point = (e, doc) => {
    const frame = doc.defaultView.frameElement
    const box = frame.getBoundingClientRect()
    const scale = frame.offsetWidth ? box.width / frame.offsetWidth : 1
    return box.left + e.clientX * scale
}

const onLoad = ({ detail: { doc, index } }) => {
    const frame = doc.defaultView?.frameElement
    if (frame) frame.title = t('book-text')
    // no scripts run in there, and these are ours
    doc.addEventListener('keydown', onKey)
    for (const type of ['auxclick', 'submit'])
        doc.addEventListener(type, e => {
            if (type === 'submit' || e.target.closest?.('a')) e.preventDefault()
        }, true)
    doc.addEventListener('click', e => {
        if (e.defaultPrevented || e.target.closest?.('a, button, input, audio, video, summary, label')) return
        if (doc.getSelection()?.type === 'Range') return
        tap(point(e, doc))
    })
    if (view.isFixedLayout) swipe(doc)
    else doc.addEventListener('wheel', onWheel, { passive: true })
    doc.documentElement.dataset.section = index
}

const tap = x => {
    const box = $('stage').getBoundingClientRect()
    const at = (x - box.left) / box.width
    if (scrolled()) document.body.classList.toggle('bare')
    else if (at < .25) view.goLeft()
    else if (at > .75) view.goRight()
    else document.body.classList.toggle('bare')
}

// The library turns pages of flowing text by touch; fixed pages are ours.
const swipe = target => {
    let from
    target.addEventListener('touchstart', e => {
        from = e.touches.length === 1 ? e.touches[0] : null
    }, { passive: true })
    target.addEventListener('touchend', e => {
        const to = e.changedTouches[0]
        if (!from || !to || settings.zoom > 100 || visualViewport.scale > 1) return
        const x = to.screenX - from.screenX, y = to.screenY - from.screenY
        if (Math.abs(x) > 40 && Math.abs(x) > 2 * Math.abs(y)) x < 0 ? view.goRight() : view.goLeft()
    }, { passive: true })
}

// WebKit tells a page nothing of what happens in a frame without scripts (its bug
// 218086), so there the sides of the page lie above the frame and feel for it.
const addEdges = () => {
    for (const side of ['start', 'end']) {
        const edge = document.createElement('div')
        edge.className = 'edge ' + side
        swipe(edge)
        $('stage').append(edge)
    }
}

let wheeled = 0
const onWheel = e => {
    if (scrolled() || e.ctrlKey || Date.now() - wheeled < 350) return
    const by = Math.abs(e.deltaY) > Math.abs(e.deltaX) ? e.deltaY : e.deltaX
    if (Math.abs(by) < 8) return
    wheeled = Date.now()
    if (by > 0) view.next()
    else view.prev()
}

let arriving = false
let mark = () => {}
const onRelocate = ({ detail: { fraction, tocItem, cfi } }) => {
    const at = Math.max(0, Math.min(1, fraction || 0))
    const percent = Math.round(at * 100) + '%'
    $('position').value = at
    $('position').setAttribute('aria-valuetext', percent)
    $('percent').textContent = percent
    $('where').textContent = tocItem?.label ?? ''
    mark(tocItem)
    if (arriving) return // who looks something up has not left off reading there
    keep.set(place, { cfi, fraction: at, time: new Date().toISOString() })
}

const onLink = e => {
    e.preventDefault()
    askLink(e.detail.href, mayOpen(e.detail.href))
}

async function* find(query, signal) {
    for await (const found of view.search({ query })) {
        if (signal.aborted || found === 'done') return
        if (found.subitems) {
            if (found.label) yield { label: found.label }
            for (const { cfi, excerpt } of found.subitems)
                yield { excerpt, go: () => view.goTo(cfi) }
        }
        // let the page breathe between chapters
        await new Promise(resolve => setTimeout(resolve))
    }
}

// arrive opens the place that the address names: a chapter, and words in it, all of
// which are marked. Without a chapter the words are counted from the beginning.
const arrive = async book => {
    const { at, find: words, nth } = data
    const index = at ? book.sections.findIndex(section => section.id === at) : -1
    if (index < 0 && !words) return
    arriving = true
    let goal, left = Number(nth) || 0
    if (words) {
        $('query').value = words
        search: for await (const found of view.search({ query: words, index: index < 0 ? null : index })) {
            if (found === 'done') break
            for (const { cfi } of found.subitems ?? (found.cfi ? [found] : [])) {
                if (left >= 0) goal = cfi
                if (--left < -500) break search
            }
            if (index < 0 && left < 0) break
        }
    }
    if (goal) await view.goTo(goal)
    else if (index >= 0) await view.goTo(index)
    else arriving = false
}

const start = async () => {
    const book = await openBook(data.book, data.lang || undefined)
    $('stage').append(view)
    view.addEventListener('load', onLoad)
    view.addEventListener('relocate', onRelocate)
    view.addEventListener('external-link', onLink)
    await view.open(book)
    const { renderer } = view
    if (!view.isFixedLayout) {
        renderer.setAttribute('gap', '6%')
        renderer.setAttribute('margin', '36px')
        if (!matchMedia('(prefers-reduced-motion: reduce)').matches) renderer.setAttribute('animated', '')
    }
    document.body.classList.toggle('fixed', view.isFixedLayout)
    mark = fillContents(book.toc ?? [], item => view.goTo(item.href))
    const rtl = book.dir === 'rtl'
    $('position').dir = rtl ? 'rtl' : 'ltr'
    for (const [id, word] of [['left', rtl ? 'next' : 'previous'], ['right', rtl ? 'previous' : 'next']]) {
        $(id).title = t(word)
        $(id).querySelector('.sr').textContent = t(word)
        $(id).addEventListener('click', turn[id])
    }
    $('position').addEventListener('change', e => view.goToFraction(parseFloat(e.target.value)))
    document.addEventListener('keydown', onKey)
    if (view.isFixedLayout) swipe($('stage'))
    else $('stage').addEventListener('wheel', onWheel, { passive: true })
    $('stage').addEventListener('click', e => {
        if (!e.target.closest('a, button')) tap(e.clientX)
    })
    if ('GestureEvent' in globalThis) addEdges()
    onSettings(style)
    style()
    const kept = keep.get(place)
    await arrive(book).catch(console.warn)
    if (!view.lastLocation) arriving = false
    renderer.addEventListener('relocate', e => {
        if (['page', 'snap', 'scroll'].includes(e.detail.reason)) arriving = false
    })
    if (kept?.cfi && !view.lastLocation) await view.init({ lastLocation: kept.cfi }).catch(() => {})
    if (!view.lastLocation) await view.init({})
    style()
    if (data.form === 'comic') $('open-search').hidden = true
    else setupSearch(find, () => view.clearSearch())
    ready()
}

start().catch(fail)
