// The reader of PDF, on pdf.js. Scripts in the document are never run: there is
// no sandbox for them here at all, forms are pictures, and nothing is evaluated.

import * as pdfjs from 'pdfjs-dist/legacy/build/pdf.mjs'
import { EventBus, PDFViewer, PDFLinkService, PDFFindController } from 'pdfjs-dist/legacy/web/pdf_viewer.mjs'
import { mayOpen } from './clean.js'
import {
    $, t, data, keep, settings, onSettings, askLink, fillContents, setupSearch, setupKeys, ready, fail, resize,
} from './shell.js'

pdfjs.GlobalWorkerOptions.workerSrc = data.assets + 'pdf.worker.js'

const container = document.createElement('div')
container.id = 'pdf'
container.tabIndex = 0
container.setAttribute('role', 'group')
container.setAttribute('aria-label', t('book-text'))
const pages = document.createElement('div')
pages.className = 'pdfViewer'
container.append(pages)

const place = 'place:' + data.key
const eventBus = new EventBus()
const linkService = new PDFLinkService({ eventBus })
const findController = new PDFFindController({ eventBus, linkService })

const start = async () => {
    $('stage').append(container)
    const viewer = new PDFViewer({
        container,
        viewer: pages,
        eventBus,
        linkService,
        findController,
        annotationMode: pdfjs.AnnotationMode.ENABLE, // links, and forms as they look
        annotationEditorMode: pdfjs.AnnotationEditorType.DISABLE,
        textLayerMode: 1,
        removePageBorders: true,
        imageResourcesPath: '',
        maxCanvasPixels: 2 ** 24,
    })
    linkService.setViewer(viewer)

    const loading = pdfjs.getDocument({
        url: data.book + 'document.pdf',
        isEvalSupported: false,
        enableXfa: false,
        disableAutoFetch: true,
        disableStream: true,
        rangeChunkSize: 1 << 17,
        cMapUrl: data.assets + 'cmaps/',
        cMapPacked: true,
        standardFontDataUrl: data.assets + 'standard_fonts/',
        wasmUrl: data.assets + 'wasm/',
        iccUrl: data.assets + 'iccs/',
        maxImageSize: 2 ** 27,
    })
    loading.onPassword = () => fail(new Error('the document asks for a password'))
    const pdf = await loading.promise

    const fit = () => {
        viewer.currentScaleValue = container.clientWidth < 700 ? 'page-width' : 'auto'
        if (settings.zoom !== 100) viewer.currentScale *= settings.zoom / 100
    }
    const highlight = query => eventBus.dispatch('find', {
        type: '', query, caseSensitive: false, entireWord: false, highlightAll: true, findPrevious: false, matchDiacritics: false,
    })
    let first = true, arriving = Boolean(data.page)
    eventBus.on('pagesinit', () => {
        fit()
        const kept = keep.get(place), asked = Number(data.page)
        if (data.find) $('query').value = data.find
        if (asked >= 1 && asked <= pdf.numPages) {
            arriving = true
            viewer.currentPageNumber = asked
            if (data.find) highlight(data.find)
        } else if (kept?.page > 1 && kept.page <= pdf.numPages) viewer.currentPageNumber = kept.page
    })
    const told = () => {
        const page = viewer.currentPageNumber, all = pdf.numPages
        $('position').value = page
        $('position').setAttribute('aria-valuetext', t('page-of', page, all))
        $('where').textContent = t('page-of', page, all)
        $('percent').textContent = `${page} / ${all}`
        if (arriving) return // who looks something up has not left off reading there
        keep.set(place, { page, fraction: page / all, time: new Date().toISOString() })
    }
    eventBus.on('pagechanging', told)
    eventBus.on('textlayerrendered', () => {
        if (!first) return
        first = false
        ready()
        setTimeout(() => arriving = false, 1000)
    })
    new ResizeObserver(() => viewer.pdfDocument && fit()).observe(container)
    onSettings(fit)

    $('position').min = 1
    $('position').max = pdf.numPages
    $('position').step = 1
    $('position').addEventListener('change', e => viewer.currentPageNumber = Number(e.target.value))
    const turn = {
        left: () => viewer.previousPage(), right: () => viewer.nextPage(),
        previous: () => viewer.previousPage(), next: () => viewer.nextPage(),
        first: () => viewer.currentPageNumber = 1, last: () => viewer.currentPageNumber = pdf.numPages,
        larger: () => resize(1), smaller: () => resize(-1),
    }
    for (const [id, word] of [['left', 'previous'], ['right', 'next']]) {
        $(id).title = t(word)
        $(id).addEventListener('click', turn[id])
    }
    document.addEventListener('keydown', setupKeys(turn))

    // links to other sites ask first; those inside the document are pdf.js's own
    for (const type of ['click', 'auxclick'])
        container.addEventListener(type, e => {
            const href = e.target.closest('a[href]')?.getAttribute('href')
            if (!href || href.startsWith('#') || href === '') return
            e.preventDefault()
            e.stopPropagation()
            askLink(href, mayOpen(href))
        }, true)

    viewer.setDocument(pdf)
    linkService.setDocument(pdf)
    told()

    const outline = items => items?.map(({ title, dest, items }) =>
        ({ label: title, dest, subitems: outline(items) })) ?? []
    fillContents(outline(await pdf.getOutline().catch(() => null)), item => linkService.goToDestination(item.dest))

    setupSearch(async function* (query, signal) {
        const needle = query.toLocaleLowerCase()
        for (let n = 1; n <= pdf.numPages && !signal.aborted; n++) {
            const page = await pdf.getPage(n)
            const { items } = await page.getTextContent()
            const text = items.map(item => item.str + (item.hasEOL ? ' ' : '')).join('').replace(/\s+/g, ' ')
            const lower = text.toLocaleLowerCase()
            let labelled = false
            for (let i = lower.indexOf(needle); i >= 0; i = lower.indexOf(needle, i + needle.length)) {
                if (!labelled) yield { label: t('page-of', n, pdf.numPages) }
                labelled = true
                yield {
                    excerpt: {
                        pre: text.slice(Math.max(0, i - 50), i),
                        match: text.slice(i, i + needle.length),
                        post: text.slice(i + needle.length, i + needle.length + 50),
                    },
                    go: () => {
                        highlight(query)
                        viewer.currentPageNumber = n
                    },
                }
            }
        }
    }, () => highlight(''))
}

start().catch(fail)
