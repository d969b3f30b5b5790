// Mounts `react-note.ts` in StrictMode, and watches what it opens and closes.
import type { OpenDocument } from "@heddle/react";
import { Activity, Component, createElement as h, StrictMode, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";

import { App, type AppProps } from "./react-note.ts";

const opened: OpenDocument[] = [];
const troubles: string[] = [];
const errors: string[] = [];
let closed = 0;
let renderedClosed = 0;
let root: Root | undefined;
let props: AppProps;
let isVisible = true;

/** What a hook throws ends here, as in an application. */
class Boundary extends Component<{ readonly children: ReactNode }, { readonly error?: string }> {
  override readonly state: { readonly error?: string } = {};
  static getDerivedStateFromError(error: unknown): { readonly error: string } {
    return { error: String(error) };
  }
  override render(): ReactNode {
    const { error } = this.state;
    return error === undefined ? this.props.children : h("p", { id: "error" }, error);
  }
}

function onOpened(note: OpenDocument): void {
  if (opened.includes(note)) return;
  opened.push(note);
  note.ydoc.on("destroy", () => closed++);
}

function onRendered(note: OpenDocument | undefined): void {
  if (note?.ydoc.isDestroyed) renderedClosed++;
}

function tree(): ReactNode {
  const app = h(App, props);
  const shown = h(Activity, { mode: isVisible ? "visible" : "hidden", children: app });
  return h(StrictMode, null, h(Boundary, null, shown));
}

const onTrouble: AppProps["onTrouble"] = ({ kind }) => troubles.push(kind);
const onRecoverableError = (error: unknown): void => void errors.push(String(error));
const whole = (given: AppProps): AppProps => ({ ...given, onOpened, onRendered, onTrouble });

function newParent(html = ""): HTMLElement {
  const parent = document.createElement("main");
  parent.innerHTML = html;
  document.body.append(parent);
  return parent;
}

const page = {
  show(given: AppProps): void {
    props = whole(given);
    // What a boundary has caught is not for the console, which the test listens to.
    root = createRoot(newParent(), { onCaughtError: () => undefined });
    root.render(tree());
  },
  /** Takes over what a server has rendered of the same component. */
  hydrate(html: string, given: AppProps): void {
    props = whole(given);
    root = hydrateRoot(newParent(html), h(App, props), { onRecoverableError });
  },
  setName(name: string): void {
    props = { ...props, name };
    root?.render(tree());
  },
  setVisible(isNow: boolean): void {
    isVisible = isNow;
    root?.render(tree());
  },
  hide: () => root?.unmount(),
  /** What Yjs takes and no store will: deeper than a document may be. */
  writeTooDeep(): void {
    let value: unknown = "end";
    for (let depth = 0; depth < 70; depth++) value = [value];
    opened.at(-1)!.ydoc.getMap("map").set("deep", value);
  },
  report: () => ({
    opened: opened.map(({ name }) => name),
    open: opened.length - closed,
    renderedClosed,
    troubles,
    errors,
  }),
};

export type ReactPage = typeof page;
Object.assign(globalThis, { page, isReady: true });
