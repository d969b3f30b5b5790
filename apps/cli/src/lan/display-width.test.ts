import { expect, test } from "vitest";

import { displayWidth, fitDisplay, padDisplay } from "./display-width.ts";

// Goal: columns stand under each other whatever devices are called. Widths as terminals draw them.

test("cells are counted as they are drawn", () => {
  const widths = {
    "": 0,
    "Ada's laptop": 12,
    "…": 1,
    "█░": 2,
    日本語のノート: 14,
    "ノート、「紙」": 14,
    ﾉｰﾄ: 3,
    ｆｕｌｌ: 8,
    한글: 4,
    "💻": 2,
    "👩‍🔬": 2,
    "❤️": 2,
    "❤": 1,
    "🇩🇪": 2,
    "e\u0301": 1,
    Ünal: 4,
  };
  for (const [text, width] of Object.entries(widths))
    expect([text, displayWidth(text)]).toEqual([text, width]);
});

test("what is too long ends between two graphemes, and never takes more cells than it may", () => {
  expect(fitDisplay("日本語のノート", 14)).toBe("日本語のノート");
  expect(fitDisplay("日本語のノート", 13)).toBe("日本語のノー…");
  expect(fitDisplay("日本語のノート", 12)).toBe("日本語のノ…");
  expect(fitDisplay("ab👩‍🔬cd", 5)).toBe("ab👩‍🔬…");
  expect(fitDisplay("ab👩‍🔬cd", 4)).toBe("ab…");
  expect([fitDisplay("ab", 1), fitDisplay("ab", 0)]).toEqual(["…", ""]);
  expect(padDisplay("日本", 6)).toBe("日本  ");
});
