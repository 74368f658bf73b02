// Puts the citation processor into internal/citation/dist, with its licence.

import { transform } from 'esbuild'
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const dist = path.join(root, 'internal/citation/dist')
const made = path.join(root, 'internal/citation/dist.new')
const from = path.join(root, 'node_modules/citeproc')

await rm(made, { recursive: true, force: true })
await mkdir(made, { recursive: true })
const { code } = await transform(await readFile(path.join(from, 'citeproc_commonjs.js'), 'utf8'), {
    minify: true,
    charset: 'utf8',
    legalComments: 'none',
    target: 'es2017', // what the interpreter in the program knows
})
await writeFile(path.join(made, 'citeproc.js'), code)
const { version } = JSON.parse(await readFile(path.join(from, 'package.json'), 'utf8'))
const text = (await readFile(path.join(from, 'LICENSE'), 'utf8')).trim()
if (!text.includes('Affero General Public License')) throw new Error('the licence of citeproc has changed: read it')
await writeFile(path.join(made, 'licences.json'),
    JSON.stringify([{ name: 'citeproc', version, licence: 'CPAL-1.0 OR AGPL-3.0-or-later', text }], null, 1))
await cp(path.join(dist, 'README.md'), path.join(made, 'README.md'))
await rm(dist, { recursive: true, force: true })
await rename(made, dist)
console.log(`citation: citeproc.js ${(code.length / 1024).toFixed(0)} kB`)
