// The styles that a chapter is given: before its own, and after.

const colours = {
    light: { paper: '#fbf8f1', ink: '#211d18', link: '#a8301f' },
    sepia: { paper: '#f1e5cd', ink: '#3b2f20', link: '#93291b' },
    dark: { paper: '#191715', ink: '#d5cdbf', link: '#ef8a76' },
}

const spacings = { tight: 1.35, normal: 1.6, wide: 1.95 }

export const chapterStyles = (theme, { size, spacing }) => {
    const { paper, ink, link } = colours[theme]
    const line = spacings[spacing] ?? spacings.normal
    const before = `
        html {
            color: ${ink};
            font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia, "DejaVu Serif", serif;
        }
        :lang(zh) { font-family: "Source Han Serif SC", "Noto Serif CJK SC", "Noto Serif SC", "Songti SC", STSong, SimSun, serif; }
        :lang(zh-Hant), :lang(zh-TW), :lang(zh-HK) { font-family: "Source Han Serif TC", "Noto Serif CJK TC", "Noto Serif TC", "Songti TC", PMingLiU, serif; }
        :lang(ja) { font-family: "Source Han Serif", "Noto Serif CJK JP", "Hiragino Mincho ProN", "Yu Mincho", serif; }
        p { text-wrap: pretty; }
        :lang(zh) p, :lang(ja) p { text-align: justify; }
        img, svg { max-width: 100%; }
        h1, h2, h3 { line-height: 1.3; font-weight: 600; }`
    const forced = theme === 'light' ? '' : `
        html { --theme-bg-color: ${paper}; background: none !important; }
        html, body { color: ${ink} !important; }
        body :not(img, svg, svg *, video, math *, a, a *) { color: inherit !important; }
        body, body :not(img, svg, svg *, video) { background-color: transparent !important; border-color: currentColor !important; }
        a:any-link, a:any-link * { color: ${link} !important; }
        ${theme === 'dark' ? 'body img { background-color: #e9e3d6 !important; }' : ''}`
    const after = `
        @namespace epub "http://www.idpf.org/2007/ops";
        html { color-scheme: ${theme === 'dark' ? 'dark' : 'light'}; font-size: ${size}% !important; -webkit-text-size-adjust: none; text-size-adjust: none; }
        p, li, blockquote, dd { line-height: ${line}; widows: 2; orphans: 2; hanging-punctuation: allow-end last; }
        [align="left"] { text-align: left; }
        [align="right"] { text-align: right; }
        [align="center"] { text-align: center; }
        pre { white-space: pre-wrap !important; }
        a:any-link { color: ${link}; }
        ::selection { background: ${link}44; }
        ${forced}`
    return [before, after]
}
