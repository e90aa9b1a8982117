// How tests get into a NATS of their own: as nobody in particular.
export const nobody = { user: '', password: '', token: '', credentials: '', nkeySeed: '', tls: undefined };
