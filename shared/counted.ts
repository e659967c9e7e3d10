/** A number and what it counts, for messages: `1 step`, `2 steps`, `2 entries`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
