// Builds static/dist, static/fonts and static/css/fonts.css. Run through scripts/build-static.
import { build } from "esbuild";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;
const MODULES = join(ROOT, "frontend/node_modules");
const STATIC = join(ROOT, "static");
const DIST = join(STATIC, "dist");
const FONTS = join(STATIC, "fonts");

const FACES = [
  { pack: "inter", family: "Inter Variable", weights: "100 900" },
  { pack: "source-serif-4", family: "Source Serif 4 Variable", weights: "200 900" },
  { pack: "jetbrains-mono", family: "JetBrains Mono Variable", weights: "100 800" },
];

// CodeMirror writes its rules into a <style> element when its root is a document; our
// Content-Security-Policy forbids that. A constructed sheet does the same and is allowed.
const constructedSheets = {
  name: "constructed-sheets",
  setup(build) {
    build.onLoad({ filter: /style-mod[\\/]src[\\/]style-mod\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace("!root.head && root.adoptedStyleSheets", "root.adoptedStyleSheets");
      if (contents === source) throw new Error("style-mod has changed: look at StyleSet again");
      return { contents, loader: "js" };
    });
  },
};

async function fonts() {
  await mkdir(FONTS, { recursive: true });
  let css = "/* Written by frontend/build.mjs from the @fontsource-variable packages. */\n";
  for (const { pack, family, weights } of FACES) {
    const home = join(MODULES, "@fontsource-variable", pack);
    const ranges = JSON.parse(await readFile(join(home, "unicode.json"), "utf8"));
    await cp(join(home, "LICENSE"), join(FONTS, `${pack}.LICENSE.txt`));
    for (const [subset, range] of Object.entries(ranges)) {
      const name = `${pack}-${subset}.woff2`;
      await cp(join(home, `files/${pack}-${subset}-wght-normal.woff2`), join(FONTS, name));
      css += `@font-face {
  font-family: "${family}";
  font-weight: ${weights};
  font-display: swap;
  src: url("/static/fonts/${name}") format("woff2");
  unicode-range: ${range.replaceAll(",", ", ")};
}
`;
    }
  }
  await writeFile(join(STATIC, "css/fonts.css"), css);
}

async function bundle() {
  await mkdir(DIST, { recursive: true });
  const common = {
    bundle: true,
    minify: true,
    metafile: true,
    outdir: DIST,
    entryNames: "[name].[hash]",
    chunkNames: "[name].[hash]",
    legalComments: "none",
    logLevel: "warning",
  };
  const scripts = await build({
    ...common,
    entryPoints: [join(ROOT, "frontend/src/app.js")],
    format: "esm",
    splitting: true,
    target: ["es2022"],
    plugins: [constructedSheets],
  });
  const styles = await build({
    ...common,
    entryPoints: [join(STATIC, "css/app.css")],
    external: ["/static/*"],
  });
  const manifest = {};
  for (const [path, output] of [scripts, styles].flatMap(({ metafile }) => Object.entries(metafile.outputs))) {
    if (output.entryPoint) manifest[basename(output.entryPoint)] = basename(path);
  }
  // A hub may be running on these files: the new manifest takes the old one's place in one step,
  // and what it no longer names goes after that.
  await writeFile(join(DIST, "manifest.new"), JSON.stringify(manifest, null, 2) + "\n");
  await rename(join(DIST, "manifest.new"), join(DIST, "manifest.json"));
  const built = Object.keys({ ...scripts.metafile.outputs, ...styles.metafile.outputs });
  const kept = new Set(["manifest.json", "LICENSES.txt", ...built.map((path) => basename(path))]);
  for (const name of await readdir(DIST)) {
    if (!kept.has(name)) await rm(join(DIST, name));
  }
  return scripts.metafile;
}

async function licences(metafile) {
  const packages = new Set(
    Object.keys(metafile.inputs)
      .map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
      .filter(Boolean),
  );
  let text = "Other people's work inside static/dist. The fonts' licences lie beside the fonts.\n";
  for (const name of [...packages].sort()) {
    const home = join(MODULES, name);
    const { version, license } = JSON.parse(await readFile(join(home, "package.json"), "utf8"));
    const file = (await readdir(home)).find((entry) => /^licen[cs]e/i.test(entry));
    text += `\n\n== ${name} ${version} (${license})\n\n`;
    if (file) text += (await readFile(join(home, file), "utf8")).trim() + "\n";
  }
  await writeFile(join(DIST, "LICENSES.txt"), text);
}

await fonts();
await licences(await bundle());
