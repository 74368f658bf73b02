// Makes the book that the view shows out of what the server lists.

import { EPUB } from 'foliate-js/epub.js'
import { cleanText, decode, TYPE } from './clean.js'
import { t } from './shell.js'

const escapeText = text => {
    const el = document.createElement('p')
    el.textContent = text
    return el.innerHTML.replaceAll('"', '&quot;')
}

// pageURL is the address of a page made here: its body is our own markup.
const pageURL = (body, head = '') => URL.createObjectURL(new Blob([
    `<!DOCTYPE html><html><head><meta charset="utf-8">${head}</head><body>${body}</body></html>`],
{ type: TYPE.html }))

// Fetcher brings resources, one by one, and only those that the server lists.
class Fetcher {
    constructor(base, entries) {
        this.base = base
        this.sizes = new Map(entries.map(({ path, size }) => [path, size]))
    }
    async fetch(name) {
        if (!this.sizes.has(name)) return null
        const url = this.base + name.split('/').map(encodeURIComponent).join('/')
        const res = await fetch(url, { redirect: 'error', referrerPolicy: 'no-referrer' })
        if (!res.ok) throw new Error(`${name}: ${res.status}`)
        return res
    }
    async text(name) {
        const res = await this.fetch(name)
        return res ? decode(await res.arrayBuffer()) : null
    }
    async blob(name) {
        const res = await this.fetch(name)
        return res ? res.blob() : null
    }
}

// guard makes a section that fails to load say so, instead of stopping the book.
const guard = section => {
    const load = section.load
    section.load = async () => {
        try {
            const url = await load()
            if (url) return url
        } catch (e) {
            console.warn(e)
        }
        return pageURL(`<p>${escapeText(t('failed-chapter'))}</p>`)
    }
}

const dataURL = blob => new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(blob)
})

const resolve = (href, base) => {
    const url = new URL(href, 'book:///' + base.split('/').map(encodeURIComponent).join('/'))
    return url.protocol === 'book:' ? decodeURIComponent(url.pathname.slice(1)) : null
}

// A picture in the spine is shown by <img>, in which nothing runs and from which
// nothing is asked; so the pictures that an SVG uses are put into it.
const pictureSection = (section, item, files) => {
    const made = []
    const make = async () => {
        let blob, alt = '', size = ''
        if (item.mediaType === TYPE.svg) {
            const text = cleanText(await files.text(item.href), TYPE.svg)
            const doc = new DOMParser().parseFromString(text, TYPE.svg)
            for (const image of doc.querySelectorAll('image')) {
                const href = image.getAttributeNS('http://www.w3.org/1999/xlink', 'href')
                const name = href && !href.startsWith('data:') ? resolve(href, item.href) : null
                const picture = name ? await files.blob(name).catch(() => null) : null
                if (picture) image.setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:href', await dataURL(picture))
            }
            const root = doc.documentElement
            const [, , w, h] = (root.getAttribute('viewBox') ?? '').trim().split(/[\s,]+/).map(Number)
            if (w > 0 && h > 0) {
                size = `<meta name="viewport" content="width=${w}, height=${h}">`
                if (!root.getAttribute('width')) root.setAttribute('width', w)
                if (!root.getAttribute('height')) root.setAttribute('height', h)
            }
            alt = (doc.querySelector('title')?.textContent || root.textContent).trim().replace(/\s+/g, ' ').slice(0, 1000)
            blob = new Blob([new XMLSerializer().serializeToString(doc)], { type: TYPE.svg })
        } else blob = new Blob([await files.blob(item.href)], { type: item.mediaType })
        const src = URL.createObjectURL(blob)
        const url = pageURL(`<img src="${src}" alt="${escapeText(alt)}" style="display:block;margin:auto;max-width:100%">`,
            size + '<style>body{margin:0}</style>')
        made.push(src, url)
        return url
    }
    let url
    section.load = () => url ??= make()
    section.unload = () => {
        for (const u of made.splice(0)) URL.revokeObjectURL(u)
        url = null
    }
    section.createDocument = async () => new DOMParser().parseFromString('<p></p>', TYPE.html)
}

// XML takes the white space off identifiers when it knows that they are such; the
// browser's parser, which reads no DTD, does not.
const trimIDs = text => {
    const doc = new DOMParser().parseFromString(text, 'application/xml')
    if (doc.querySelector('parsererror')) return text
    for (const name of ['id', 'idref', 'toc', 'unique-identifier'])
        for (const el of doc.querySelectorAll(`[${name}]`)) el.setAttribute(name, el.getAttribute(name).trim())
    return new XMLSerializer().serializeToString(doc)
}

const makeEPUB = async (base, entries) => {
    const files = new Fetcher(base, entries)
    const types = new Set(Object.values(TYPE))
    let epub
    const loadText = async name => {
        const text = await files.text(name)
        const type = epub.resources?.manifest.find(item => item.href === name)?.mediaType
        if (text && name.endsWith('.opf')) return trimIDs(text)
        return text && types.has(type) ? cleanText(text, type) : text
    }
    epub = new EPUB({
        loadText,
        loadBlob: name => files.blob(name),
        getSize: name => files.sizes.get(name) ?? 0,
    })
    await epub.init()
    for (const section of epub.sections) {
        const item = epub.resources.getItemByHref(section.id)
        if (item?.mediaType?.startsWith('image/')) pictureSection(section, item, files)
        guard(section)
    }
    if (!epub.sections.some(s => s.linear !== 'no')) for (const s of epub.sections) s.linear = null
    return epub
}

const makeComic = async (base, entries) => {
    const files = new Fetcher(base, entries)
    const order = new Intl.Collator('en', { numeric: true })
    const names = entries.map(e => e.path).filter(name => name !== 'ComicInfo.xml').sort(order.compare)
    const info = await files.text('ComicInfo.xml').catch(() => null)
    const manga = info && new DOMParser().parseFromString(info, 'application/xml')
        .querySelector('Manga')?.textContent === 'YesAndRightToLeft'
    const sections = names.map((name, i) => {
        let made = []
        const section = {
            id: name,
            size: files.sizes.get(name),
            load: async () => {
                const src = URL.createObjectURL(await files.blob(name))
                const label = escapeText(t('page-of', i + 1, names.length))
                const url = pageURL(`<img src="${src}" alt="${label}">`, '<style>body{margin:0}</style>')
                made.push(src, url)
                return url
            },
            unload: () => {
                for (const u of made) URL.revokeObjectURL(u)
                made = []
            },
        }
        guard(section)
        return section
    })
    return {
        sections,
        dir: manga ? 'rtl' : 'ltr',
        metadata: {},
        rendition: { layout: 'pre-paginated' },
        toc: names.map((name, i) => ({ label: t('page-of', i + 1, names.length), href: name })),
        resolveHref: href => ({ index: names.indexOf(href) }),
        splitTOCHref: href => [href, null],
        getTOCFragment: doc => doc.documentElement,
    }
}

// A text is a book of sections that the server made, or of one that it did not.
const makeText = (base, listed, language) => {
    const files = new Fetcher(base, listed)
    const type = name => name.endsWith('.xhtml') ? TYPE.xhtml : TYPE.html
    const cleaned = async name => cleanText(await files.text(name), type(name))
    const sections = listed.map(({ path, size }) => {
        let url
        const section = {
            id: path,
            size,
            load: async () => url ??= URL.createObjectURL(new Blob([await cleaned(path)], { type: TYPE.xhtml })),
            unload: () => {
                URL.revokeObjectURL(url)
                url = null
            },
            createDocument: async () => new DOMParser().parseFromString(await cleaned(path), TYPE.xhtml),
            resolveHref: href => href.startsWith('#') ? path + href : href,
        }
        guard(section)
        return section
    })
    const named = listed.some(s => s.title)
    return {
        sections,
        metadata: { language },
        rendition: { layout: 'reflowable' },
        toc: named || listed.length > 1 ? listed.map(({ path, title }, i) =>
            ({ label: title || t('untitled', i + 1), href: path })) : [],
        resolveHref: href => {
            const [path, id] = href.split('#')
            const index = listed.findIndex(s => s.path === path)
            return index < 0 ? null : { index, anchor: id ? doc => doc.getElementById(decodeURIComponent(id)) ?? 0 : () => 0 }
        },
        splitTOCHref: href => href?.split('#') ?? [],
        getTOCFragment: (doc, id) => id ? doc.getElementById(id) : doc.documentElement,
        isExternal: href => /^[a-z][a-z0-9+.-]*:/i.test(href),
    }
}

// openBook asks the server what the book is made of and makes it.
export const openBook = async (base, language) => {
    const res = await fetch(base, { redirect: 'error' })
    if (!res.ok) throw new Error(`the book: ${res.status}`)
    const index = await res.json()
    switch (index.form) {
        case 'epub': return makeEPUB(base, index.entries)
        case 'comic': return makeComic(base, index.entries)
        default: return makeText(base, index.sections, language)
    }
}
