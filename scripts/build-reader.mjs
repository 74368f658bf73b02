// Bundles the reader into internal/web/reader/dist, with the licences of all it
// holds. Third-party code comes from node_modules, which the lock file decides.

import { build } from 'esbuild'
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const reader = path.join(root, 'internal/web/reader')
const modules = path.join(root, 'node_modules')
const dist = path.join(reader, 'dist')
const made = path.join(reader, 'dist.new')

// The frames of a book must not run scripts. foliate-js allows them because of a
// bug of WebKit; each of these files must hold the line exactly once.
const sandboxed = {
    'paginator.js': `this.#iframe.setAttribute('sandbox', 'allow-same-origin allow-scripts')`,
    'fixed-layout.js': `iframe.setAttribute('sandbox', 'allow-same-origin allow-scripts')`,
}
const patched = new Set()

// Parts of foliate-js that the reader never uses, left out of the bundle.
const unused = /^\.\/(vendor\/zip|vendor\/fflate|comic-book|fb2|mobi|tts)\.js$/

const foliate = {
    name: 'foliate',
    setup(build) {
        build.onLoad({ filter: /[\\/]foliate-js[\\/][\w-]+\.js$/ }, async ({ path: file }) => {
            let contents = await readFile(file, 'utf8')
            const name = path.basename(file)
            const line = sandboxed[name]
            if (line) {
                if (contents.split(line).length !== 2)
                    throw new Error(`${name} of foliate-js has changed: the line that allows scripts was not found once`)
                contents = contents.replace(line, line.replace(' allow-scripts', ''))
                patched.add(name)
            }
            if (/allow-scripts['"\s]/.test(contents.replace(/\/\/.*$/gm, '')))
                throw new Error(`${name} of foliate-js allows scripts in a place that is not known`)
            return { contents, loader: 'js' }
        })
        build.onResolve({ filter: unused }, args =>
            args.importer.includes('foliate-js') ? { path: args.path, namespace: 'unused' } : null)
        build.onLoad({ filter: /.*/, namespace: 'unused' }, () =>
            ({ contents: 'throw new Error("not in this bundle")\nexport {}', loader: 'js' }))
    },
}

// Of the pictures in pdf.js's style sheet, only those of annotations and of loading
// are ever shown; the rest belong to its editor.
const pictures = {
    name: 'pictures',
    setup(build) {
        build.onLoad({ filter: /[\\/]pdfjs-dist[\\/].*\.(svg|gif)$/ }, ({ path: file }) =>
            /^(annotation-|loading)/.test(path.basename(file)) ? null : { contents: '', loader: 'dataurl' })
    },
}

await rm(made, { recursive: true, force: true })
await mkdir(made, { recursive: true })

const result = await build({
    absWorkingDir: root,
    entryPoints: ['book.js', 'pdf.js', 'reader.css', 'pdf.css'].map(f => path.join(reader, 'src', f)),
    outdir: made,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: ['es2022', 'safari16.4', 'chrome110', 'firefox115'],
    charset: 'utf8',
    legalComments: 'none',
    loader: { '.svg': 'dataurl', '.gif': 'dataurl', '.png': 'dataurl' },
    external: ['node:*', 'fs', 'module', 'url'],
    metafile: true,
    plugins: [foliate, pictures],
    nodePaths: [modules],
    logLevel: 'warning',
})
for (const name of Object.keys(sandboxed))
    if (!patched.has(name)) throw new Error(`${name} of foliate-js was not bundled, so not patched`)

// pdf.js's worker and the tables that it fetches when a document needs them.
const pdfjs = path.join(modules, 'pdfjs-dist')
await cp(path.join(pdfjs, 'legacy/build/pdf.worker.min.mjs'), path.join(made, 'pdf.worker.js'))
for (const folder of ['cmaps', 'standard_fonts', 'wasm', 'iccs'])
    await cp(path.join(pdfjs, folder), path.join(made, folder), { recursive: true })

// Licences: of every package that a bundled file came from, and of those copied.
const packages = new Set(['pdfjs-dist'])
for (const input of Object.keys(result.metafile.inputs)) {
    const parts = input.split('node_modules/')
    if (parts.length < 2) continue
    const [scope, name] = parts.at(-1).split('/')
    packages.add(scope.startsWith('@') ? `${scope}/${name}` : scope)
}
const licences = []
for (const name of [...packages].sort()) {
    const folder = path.join(modules, name)
    const { version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
    const texts = []
    for (const file of (await readdir(folder, { recursive: true })).sort())
        if (/^(licen[cs]e|copying|notice)/i.test(path.basename(file)) && !file.includes('node_modules'))
            texts.push((path.dirname(file) === '.' ? '' : file + '\n\n') + (await readFile(path.join(folder, file), 'utf8')).trim())
    if (!texts.length) throw new Error(`${name} carries no licence text`)
    licences.push({ name, version, licence: license, text: texts.join('\n\n----\n\n') })
}
await writeFile(path.join(made, 'licences.json'), JSON.stringify(licences, null, 1))
await cp(path.join(dist, 'README.md'), path.join(made, 'README.md'))

// The new bundle takes the place of the old one only when it is whole.
await rm(dist, { recursive: true, force: true })
await rename(made, dist)

const size = Object.entries(result.metafile.outputs)
    .filter(([, { bytes }]) => bytes > 1024)
    .map(([name, { bytes }]) => `${path.basename(name)} ${(bytes / 1024).toFixed(0)} kB`).join(', ')
console.log(`reader: ${size}`)
