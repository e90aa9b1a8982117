// How far the numbers of a golden input may be off where a model's owner says nothing: as a share of an output's largest.
export const goldenTolerance = 0.01;
