// Which scheduler owns a model: rendezvous hashing, so that all routers agree without asking and a scheduler's death
// moves only its own models.
export { firstOf as ownerOf } from '../../proto/rendezvous.js';
