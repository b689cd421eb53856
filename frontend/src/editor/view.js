// One message's text as a CodeMirror view that keeps its textarea in step.
import { EditorState, StateEffect } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, highlightSpecialChars, keymap, placeholder } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { scan } from "./scan.js";

const redraw = StateEffect.define();
const UNSEEN =
  /[\u00a0\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u202a-\u202e\u2060-\u206f\u2800\u3164\uffa0\ufffd\u{e0000}-\u{e007f}]/u;

const brace = Decoration.mark({ class: "brace" });
const LONGEST_UNBROKEN = 32; // characters that fit a line of a phone
const mark = (more, attributes) =>
  [false, true].map((long) => Decoration.mark({ class: `variable${more}${long ? " variable-long" : ""}`, attributes }));
const declaredVariable = mark("");
const undeclaredVariable = mark(" variable-undeclared", { title: "Not declared yet: see Variables" });
const marks = Decoration.mark({ class: "marks" });
const comment = Decoration.mark({ class: "comment" });

function decorate(view, isTemplate, isDeclared) {
  if (!isTemplate()) return Decoration.none;
  const ranges = [];
  for (const { from, to, kind, names } of scan(view.state.doc.toString())) {
    if (!view.visibleRanges.some((range) => from <= range.to && to >= range.from)) continue;
    if (kind === "variable") {
      const known = names.every(isDeclared);
      const [short, long] = known ? declaredVariable : undeclaredVariable;
      ranges.push((to - from > LONGEST_UNBROKEN ? long : short).range(from, to));
      ranges.push(brace.range(from, from + 2), brace.range(to - 2, to));
    } else ranges.push((kind === "comment" ? comment : marks).range(from, to));
  }
  return Decoration.set(ranges, true);
}

function glow(isTemplate, isDeclared) {
  return ViewPlugin.define(
    (view) => ({
      decorations: decorate(view, isTemplate, isDeclared),
      update(update) {
        const asked = update.transactions.some((one) => one.effects.some((effect) => effect.is(redraw)));
        if (update.docChanged || update.viewportChanged || asked) {
          this.decorations = decorate(update.view, isTemplate, isDeclared);
        }
      },
    }),
    { decorations: (plugin) => plugin.decorations },
  );
}

function chip(code, description) {
  const element = document.createElement("span");
  element.className = "hidden-char";
  element.textContent = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  element.title = description ?? "A character that cannot be seen";
  return element;
}

// Ctrl+Enter and Alt+arrows belong to the page; Tab leaves the text.
const OURS = new Set(["Mod-Enter", "Alt-ArrowUp", "Alt-ArrowDown"]);

/** Replace the sight of `textarea`; `onChange` is called after its value has followed. */
export function openView(textarea, { isTemplate, isDeclared, onChange }) {
  const follow = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    textarea.value = update.state.doc.toString();
    onChange();
  });
  const view = new EditorView({
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        history(),
        keymap.of([...defaultKeymap.filter(({ key }) => !OURS.has(key)), ...historyKeymap]),
        EditorView.lineWrapping,
        EditorView.perLineTextDirection.of(true),
        EditorView.contentAttributes.of({
          "aria-label": textarea.getAttribute("aria-label"),
          spellcheck: "true",
          autocorrect: "on",
          autocapitalize: "sentences",
        }),
        highlightSpecialChars({ render: chip, addSpecialChars: UNSEEN }),
        placeholder(textarea.placeholder),
        glow(isTemplate, isDeclared),
        follow,
      ],
    }),
  });
  textarea.hidden = true;
  textarea.after(view.dom);
  return view;
}

/** Look again at which variables are declared. */
export function refresh(view) {
  view.dispatch({ effects: redraw.of(null) });
}
