// The bounds of the protocol itself, the same on every node. What an operator may set is in the configuration.

/** Raised whenever a message's positions change. Nodes of different versions refuse each other. */
export const protocolVersion = 1;

export const limits = {
  nameLengthMax: 128,
  textLengthMax: 4096,
  tensorsPerJobMax: 64,
  dimensionsMax: 16,
  rowsPerJobMax: 65_536,
  jobsPerBatchMax: 1024,
  membersMax: 4096,
  envelopesPerFrameMax: 65_536,
  envelopeBytesMax: 1 << 20,
  framesPerEnvelopeMax: 65_536,
  pathStepsMax: 24,
} as const;
