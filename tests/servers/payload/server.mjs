// A real Payload CMS behind node:http, without Next.js. Settings come as JSON in argv[2]; the
// collections are those of examples/payload. Prints one JSON line when it is ready.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'

process.env.NODE_ENV = 'test'
const settings = JSON.parse(process.argv[2])
const { buildConfig, getPayload, handleEndpoints } = await import('payload')
const { default: sharp } = await import('sharp')

// Copied beside a package.json that makes them modules, as they are in a host's project.
const copies = fs.mkdtempSync(path.join(settings.work, 'collections-'))
fs.cpSync(settings.collections, copies, { recursive: true })
fs.writeFileSync(path.join(copies, 'package.json'), '{"type": "module"}')
const load = (name) => import(pathToFileURL(path.join(copies, name)).href)
const { Media } = await load('media.ts')
const { CharacterReferences } = await load('character-references.ts')
const { CharacterImageMetadata } = await load('character-image-metadata.ts')
const { withOperationKey } = await load('operation-key.ts')
const dress = settings.keyed ? withOperationKey : (collection) => collection
// A host's own records may be less strict than the shipped collection.
const loosen = (field) => {
  if (field.name === 'media') return { ...field, required: false }
  return field.type === 'select' ? { ...field, type: 'text', options: undefined } : field
}
const own = (field) =>
  field.name === 'createdBy' ? { name: 'createdBy', type: 'relationship', relationTo: 'users' } : field
let { fields } = CharacterImageMetadata
if (settings.loose) fields = fields.map(loosen)
if (settings.owned) fields = fields.map(own)
const Records = { ...CharacterImageMetadata, fields }

let db
if (settings.db === 'postgresql') {
  const { postgresAdapter } = await import('@payloadcms/db-postgres')
  db = postgresAdapter({ idType: settings.idType, pool: { connectionString: settings.url, max: 50 } })
} else if (settings.db === 'mongodb') {
  const { mongooseAdapter } = await import('@payloadcms/db-mongodb')
  // As for one server that is no replica set.
  db = mongooseAdapter({ url: settings.url, transactionOptions: false, disableIndexHints: true })
} else {
  const { sqliteAdapter } = await import('@payloadcms/db-sqlite')
  db = sqliteAdapter({
    idType: settings.idType === 'uuid' ? 'uuid' : 'number',
    client: { url: settings.url },
  })
}

const config = await buildConfig({
  secret: 'a secret of the tests',
  telemetry: false,
  typescript: { autoGenerate: false },
  graphQL: { disable: true },
  sharp,
  db,
  upload: { limits: { fileSize: 20 * 1024 * 1024 }, abortOnLimit: true },
  collections: [
    { slug: 'users', auth: { useAPIKey: true }, fields: [] },
    dress({ ...Media, upload: { ...Media.upload, staticDir: settings.files } }),
    CharacterReferences,
    dress(Records),
  ],
})

if (settings.db === 'mongodb') {
  // What the tests take for MongoDB takes no hyphen here; a client does not see these names.
  for (const each of config.collections) each.dbName ??= each.slug.replaceAll('-', '_')
}

const payload = await getPayload({ config })
const found = await payload.find({ collection: 'users', limit: 1 })
if (found.totalDocs === 0) {
  await payload.create({
    collection: 'users',
    data: {
      email: 'tests@example.org',
      password: settings.password,
      enableAPIKey: true,
      apiKey: settings.apiKey,
    },
  })
}

const server = http.createServer(async (req, res) => {
  try {
    const headers = new Headers()
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      headers.append(req.rawHeaders[i], req.rawHeaders[i + 1])
    }
    const bodiless = req.method === 'GET' || req.method === 'HEAD'
    const request = new Request(`http://${req.headers.host}${req.url}`, {
      method: req.method,
      headers,
      body: bodiless ? undefined : Readable.toWeb(req),
      duplex: 'half',
    })
    const answer = await handleEndpoints({ config, request })
    res.writeHead(answer.status, [...answer.headers].flat())
    if (answer.body) {
      Readable.fromWeb(answer.body).on('error', () => res.destroy()).pipe(res)
    } else {
      res.end()
    }
  } catch (error) {
    console.error(error)
    res.destroy()
  }
})
server.listen(settings.port, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: server.address().port }))
})
// Whoever started this server may crash: its end of the pipe closes, and the server goes, too.
process.stdin.resume().on('end', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
process.on('unhandledRejection', (error) => console.error('unhandled', error))
