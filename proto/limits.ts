// The bounds of the protocol itself, the same on every node. What an operator may set is in the configuration.

/** Raised whenever a message's positions change. Nodes of different versions refuse each other. */
export const protocolVersion = 4;

export const limits = {
  nameLengthMax: 128,
  textLengthMax: 4096,
  tensorsPerJobMax: 64,
  dimensionsMax: 16,
  rowsPerJobMax: 65_536,
  jobsPerBatchMax: 1024,
  membersMax: 4096,
  modelsOwnedMax: 2048,
  envelopesPerFrameMax: 65_536,
  envelopeBytesMax: 1 << 20,
  framesPerEnvelopeMax: 65_536,
  pathStepsMax: 24,
  tagsMax: 32,
  batchSizesMax: 64,
  placesShownMax: 32,
} as const;

export const limitMeanings: Readonly<Record<keyof typeof limits, string>> = {
  nameLengthMax: 'Characters of the name of a model, a tensor or a member.',
  textLengthMax: 'Characters of a text for people.',
  tensorsPerJobMax: 'Inputs or outputs of one request.',
  dimensionsMax: 'Dimensions of a tensor.',
  rowsPerJobMax: 'Rows of one request.',
  jobsPerBatchMax: 'Requests of one batch.',
  membersMax: 'Processes of one cluster.',
  modelsOwnedMax:
    'Models, by version, that a cluster shares out among its schedulers; of more any scheduler may be asked.',
  envelopesPerFrameMax: 'Messages that share one frame.',
  envelopeBytesMax: 'Bytes of one message without its tensors.',
  framesPerEnvelopeMax: 'Tensor frames of one message.',
  tagsMax: 'Tags of one worker, or that one model asks for.',
  batchSizesMax: 'Sizes of batches that one model names or is measured at.',
  placesShownMax: 'Kinds of places that one model is told to run on.',
  pathStepsMax: 'Steps of its path that a job keeps.',
};
