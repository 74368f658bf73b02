// What foliate-js asks of the language and older phones do not have.

Object.groupBy ??= (items, f) => {
    const groups = Object.create(null)
    let i = 0
    for (const item of items) (groups[f(item, i++)] ??= []).push(item)
    return groups
}

Map.groupBy ??= (items, f) => {
    const groups = new Map()
    let i = 0
    for (const item of items) {
        const key = f(item, i++)
        if (groups.has(key)) groups.get(key).push(item)
        else groups.set(key, [item])
    }
    return groups
}
