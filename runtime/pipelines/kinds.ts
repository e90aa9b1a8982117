// The steps that come with Signalbox, by the names that a model's config.yaml gives them.
import { imageKinds } from './image/kinds.js';
import type { StepKind } from './step.js';
import { textSteps } from './text/kinds.js';

export const stepKinds: Readonly<Record<string, StepKind>> = { ...imageKinds, ...textSteps };
