// Takes out of a chapter what neither the sandbox nor the policy stops, and what
// cannot work inside them anyway. The browser's own parser reads the chapter and
// writes it again; nothing is matched by patterns. It is the innermost of three
// walls (see the package's documentation) and the others must hold without it.

const XHTML = 'http://www.w3.org/1999/xhtml'
const SVG = 'http://www.w3.org/2000/svg'
const XLINK = 'http://www.w3.org/1999/xlink'

export const TYPE = { xhtml: 'application/xhtml+xml', html: 'text/html', svg: 'image/svg+xml' }

// Elements that are taken out with all they hold.
const REMOVED = new Set(['script', 'iframe', 'frame', 'frameset', 'embed', 'applet', 'portal',
    'fencedframe', 'base', 'template', 'foreignobject-script', 'handler', 'listener'])

// Attributes that are taken out wherever they stand. A srcset would be preferred
// to the src that points into the book.
const DROPPED = new Set(['srcdoc', 'srcset', 'imagesrcset', 'ping', 'target', 'download', 'action',
    'formaction', 'formtarget', 'background', 'manifest', 'autofocus', 'autoplay', 'attributionsrc',
    'nonce', 'http-equiv', 'profile', 'longdesc', 'cite', 'codebase', 'classid', 'archive'])

const LINKS = new Set(['http:', 'https:', 'mailto:'])

// scheme is that of an absolute address, '' for one inside the book, and null for
// what is no address.
const scheme = value => {
    try {
        const url = new URL(value, 'book:///a/b')
        if (url.protocol === 'book:' && !url.host) return ''
        // an address such as //host/path takes the scheme of the page
        return url.protocol === 'book:' ? 'https:' : url.protocol
    } catch {
        return null
    }
}

// mayOpen says whether a link may be followed out of the book, once asked.
export const mayOpen = href => LINKS.has(scheme(href))

const isInside = value => {
    const s = scheme(value)
    return s === '' || s === 'data:'
}

const parse = (text, type) => {
    let doc = new DOMParser().parseFromString(text, type)
    if (type === TYPE.xhtml) {
        const root = doc.documentElement
        if (doc.querySelector('parsererror') || root?.namespaceURI !== XHTML || root.localName !== 'html'
            || ![...root.children].some(el => el.localName === 'body'))
            doc = new DOMParser().parseFromString(text, TYPE.html)
    }
    return doc
}

const clean = doc => {
    for (let node = doc.firstChild; node;) {
        const next = node.nextSibling
        // a processing instruction can name a style sheet of the XSL kind
        if (node.nodeType === Node.PROCESSING_INSTRUCTION_NODE) node.remove()
        node = next
    }
    for (const el of [...doc.querySelectorAll('*')]) cleanElement(doc, el)
}

const cleanElement = (doc, el) => {
    const name = el.localName.toLowerCase()
    if (REMOVED.has(name)) return el.remove()
    if (name === 'link') {
        const rel = (el.getAttribute('rel') ?? '').toLowerCase().split(/\s+/)
        if (!rel.includes('stylesheet') || rel.some(r => r !== 'stylesheet' && r !== 'alternate')
            || !isInside(el.getAttribute('href') ?? '')) return el.remove()
    }
    if (name === 'meta' && el.getAttribute('name')?.toLowerCase() !== 'viewport') return el.remove()
    if (name === 'source' && el.parentNode?.localName?.toLowerCase() === 'picture') return el.remove()
    if (el.namespaceURI === SVG && ['set', 'animate', 'animatetransform', 'animatemotion'].includes(name)) {
        const target = (el.getAttribute('attributeName') ?? '').toLowerCase()
        if (target.startsWith('on') || target.endsWith('href') || target === 'src') return el.remove()
    }
    if (name === 'object') {
        // the picture that it shows, or what it holds for those who cannot show it
        const data = el.getAttribute('data')
        if (data && isInside(data) && (el.getAttribute('type') ?? '').startsWith('image/')) {
            const img = doc.createElementNS(XHTML, 'img')
            img.setAttribute('src', data)
            img.setAttribute('alt', el.textContent.trim())
            for (const keep of ['id', 'class', 'style', 'width', 'height'])
                if (el.hasAttribute(keep)) img.setAttribute(keep, el.getAttribute(keep))
            return el.replaceWith(img)
        }
        return el.replaceWith(...el.childNodes)
    }
    for (const attr of [...el.attributes]) {
        const key = attr.localName.toLowerCase()
        if (key.startsWith('on') || DROPPED.has(key)) el.removeAttributeNode(attr)
        else if ((key === 'src' || key === 'poster' || key === 'data') && !isInside(attr.value))
            el.removeAttributeNode(attr)
    }
    cleanHref(el, name)
}

// Links keep the few schemes that the reader asks about; other references stay
// inside the book. In SVG the library knows links by href and pictures by
// xlink:href, so each is written the way it knows.
const cleanHref = (el, name) => {
    const plain = el.getAttribute('href'), linked = el.getAttributeNS(XLINK, 'href')
    const href = plain ?? linked
    if (href == null) return
    const link = name === 'a' || name === 'area'
    const good = isInside(href) && !(link && scheme(href) === 'data:') || link && mayOpen(href)
    el.removeAttributeNS(XLINK, 'href')
    el.removeAttribute('href')
    if (!good) return
    if (el.namespaceURI === SVG && !link) el.setAttributeNS(XLINK, 'xlink:href', href)
    else el.setAttribute('href', href)
}

// cleanText cleans a chapter and writes it as text of the same type again.
export const cleanText = (text, type) => {
    const doc = parse(text, type)
    clean(doc)
    if (type !== TYPE.svg) {
        const root = doc.documentElement
        let head = doc.head
        if (!head) root.prepend(head = doc.createElementNS(XHTML, 'head'))
        if (!doc.body) root.append(doc.createElementNS(XHTML, 'body'))
        // what is written below is UTF-8, whatever the chapter said of itself
        const meta = doc.createElementNS(XHTML, 'meta')
        meta.setAttribute('charset', 'utf-8')
        head.prepend(meta)
    }
    return new XMLSerializer().serializeToString(doc)
}

// decode reads the bytes of a text resource: by its byte order mark, else by the
// encoding that its first bytes declare, else as UTF-8.
export const decode = buffer => {
    const bytes = new Uint8Array(buffer)
    let label = 'utf-8'
    if (bytes[0] === 0xFE && bytes[1] === 0xFF || bytes[0] === 0 && bytes[1] === 0x3C) label = 'utf-16be'
    else if (bytes[0] === 0xFF && bytes[1] === 0xFE || bytes[0] === 0x3C && bytes[1] === 0) label = 'utf-16le'
    else if (!(bytes[0] === 0xEF && bytes[1] === 0xBB)) {
        const start = new TextDecoder('latin1').decode(bytes.subarray(0, 200))
        label = /^\s*<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(start)?.[1]
            ?? /^@charset "([\w.-]+)";/.exec(start)?.[1] ?? 'utf-8'
        if (/^utf-?16/i.test(label)) label = 'utf-8' // its own declaration could be read as single bytes
    }
    try {
        return new TextDecoder(label).decode(bytes)
    } catch {
        return new TextDecoder().decode(bytes)
    }
}
