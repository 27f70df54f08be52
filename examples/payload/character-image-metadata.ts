import type { CollectionConfig } from 'payload'

/** One record per image that charimg brought in. */
export const CharacterImageMetadata: CollectionConfig = {
  slug: 'character-image-metadata',
  fields: [
    {
      name: 'characterReference',
      type: 'relationship',
      relationTo: 'character-references',
      required: true,
      index: true,
    },
    { name: 'media', type: 'upload', relationTo: 'media', required: true, index: true },
    {
      name: 'kind',
      type: 'select',
      required: true,
      index: true,
      options: ['reference', 'portfolioItem', 'scene'],
    },
    {
      name: 'status',
      type: 'select',
      required: true,
      index: true,
      options: ['succeeded', 'failed'],
    },
    { name: 'provider', type: 'text' },
    { name: 'prompt', type: 'textarea' },
    { name: 'sourceUrl', type: 'text' },
    { name: 'externalId', type: 'text' },
    { name: 'error', type: 'textarea' },
    { name: 'metrics', type: 'json' },
    { name: 'createdBy', type: 'text' },
  ],
}
