import type { CollectionConfig, TextField } from 'payload'

/** Optional: charimg's key of an image, so that the database itself refuses a second one. */
export const operationKey: TextField = {
  name: 'operationKey',
  type: 'text',
  unique: true,
  index: true,
  admin: { readOnly: true },
}

/** Return the collection with the operation key. */
export const withOperationKey = (collection: CollectionConfig): CollectionConfig => ({
  ...collection,
  fields: [...collection.fields, operationKey],
})
