// dice.mjs - chance from a seed: splitmix64, one stream for each use.

const MASK = (1n << 64n) - 1n;

export function newDice(seed, stream) {
    let state = (BigInt(seed) * 0x9e3779b97f4a7c15n + BigInt(stream) * 0xd1b54a32d192ed03n) & MASK;
    const next = () => {
        state = (state + 0x9e3779b97f4a7c15n) & MASK;
        let z = state;
        z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
        z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
        return z ^ (z >> 31n);
    };
    const below = (bound) => Number(next() % BigInt(bound));
    const hex = (digits) => next().toString(16).padStart(16, "0").slice(0, digits);
    return {
        below,
        chance: (percent) => below(100) < percent,
        pick: (list) => list[below(list.length)],
        uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    };
}
