// The interview pages: index filter, flash cards, mock interview. No library, no network; the
// cards stand in interview_data.js, so that the pages also work when opened from disk.
(() => {
  "use strict";

  // Shared

  const DAY = 24 * 60 * 60 * 1000;
  const data = window.RUNPROOF;

  /** Make an element with attributes and children; text is never read as HTML. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick" || name === "onchange" || name === "onsubmit" || name === "oninput") {
        element[name] = value;
      } else if (name === "html") {
        element.innerHTML = value; // only our own cards
      } else if (value !== false && value !== null) {
        element.setAttribute(name, value === true ? "" : value);
      }
    }
    element.append(...children);
    return element;
  }

  /** Set the formulas of an element, once MathJax is there; the text stands meanwhile. */
  function typeset(element) {
    const mathjax = window.MathJax;
    if (mathjax && mathjax.startup && mathjax.startup.promise) {
      mathjax.startup.promise.then(() => mathjax.typesetPromise([element])).catch(() => {});
    } else if (document.readyState !== "complete") {
      window.addEventListener("load", () => typeset(element), { once: true });
    }
  }

  /** A labeled select; `options` maps values to texts. */
  function select(id, label, options, onchange) {
    const box = make("select", { id, class: "form-select", onchange });
    for (const [value, text] of Object.entries(options))
      box.append(make("option", { value }, text));
    return make("div", { class: "iv-field" }, make("label", { for: id }, label), box);
  }

  const button = (text, onclick, attributes = {}) =>
    make("button", { type: "button", class: "iv-button", onclick, ...attributes }, text);

  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  const levelOptions = () => ({
    "": "All levels",
    ...Object.fromEntries(Object.entries(data.levels).map(([key, name]) => [key, capital(name)])),
  });

  const value = (id) => document.getElementById(id).value;

  /** A small seeded generator (mulberry32): the same seed gives the same questions anywhere. */
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Fisher-Yates, on a copy. */
  function shuffled(items, random) {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  /** The question, and its answer when it is asked for. */
  function cardView(card) {
    const title = make("h2", { class: "iv-question", tabindex: "-1", html: card.question });
    const about = `${data.topics[card.topic]}, ${data.levels[card.level]}`;
    const given = make("div", { class: "iv-given", html: card.given });
    return make("div", {}, make("p", { class: "iv-about" }, about), title, given);
  }

  function answerView(card) {
    const link = make(
      "a",
      { href: card.url },
      card.check ? "See it checked in the book" : "See it in the book",
    );
    return make(
      "div",
      { class: "iv-answer" },
      make("div", { html: card.answer }),
      make("p", {}, link),
    );
  }

  // The index: the table stands in the page; the filter only hides rows.

  function index(root) {
    const table = document.querySelector(".bd-article table");
    const rows = [...table.tBodies[0].rows].map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
      cells: [...row.cells].map((cell) => cell.textContent.trim()),
    }));
    const options = (column, all) => ({
      "": all,
      ...Object.fromEntries(
        [...new Set(rows.map((r) => r.cells[column]))].map((x) => [x, capital(x)]),
      ),
    });
    const status = make("p", { role: "status", class: "iv-status" });
    const search = make("input", {
      id: "iv-text",
      type: "search",
      class: "form-control",
      autocomplete: "off",
      oninput: apply,
    });
    const form = make(
      "form",
      {
        class: "iv-form",
        role: "search",
        "aria-label": "Filter the questions",
        onsubmit: (e) => e.preventDefault(),
      },
      make("div", { class: "iv-field" }, make("label", { for: "iv-text" }, "Words"), search),
      select("iv-topic", "Topic", options(1, "All topics"), apply),
      select("iv-level", "Level", options(2, "All levels"), apply),
      select("iv-kind", "Kind", options(3, "All kinds"), apply),
      button("Clear", () => {
        form.reset();
        apply();
        search.focus();
      }),
    );

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = [
        [1, value("iv-topic")],
        [2, value("iv-level")],
        [3, value("iv-kind")],
      ];
      let shown = 0;
      for (const { row, text, cells } of rows) {
        const fits =
          words.every((word) => text.includes(word)) &&
          wanted.every(([column, want]) => !want || cells[column] === want);
        row.hidden = !fits;
        shown += fits;
      }
      status.textContent = `${shown} of ${rows.length} questions shown.`;
    }

    root.append(form, status);
    apply();
  }

  // Practice: Leitner boxes, kept in this browser.

  const KEY = "runproof.practice.1";
  const ASIDE = `${KEY}.aside`; // what stood under KEY and could not be read
  const WAIT = [0, 1, 3, 7, 14, 30]; // days until a card of box 1 to 5 is due again; box 0 is new

  /** The state of all cards: {slug: {box, due}}. Without storage it lasts as long as the page. */
  const store = {
    memory: {},
    kept: true,
    locked: false, // what is stored could be neither read nor set aside: it is not touched
    unread: "", // what of the stored progress could not be read, in words
    read() {
      try {
        const text = localStorage.getItem(KEY) || "{}";
        const { good, bad } = sifted(text);
        if (bad) {
          // Later versions, and people, may know what it says: it is kept word for word.
          localStorage.setItem(ASIDE, JSON.stringify([...new Set([...this.aside(), text])]));
          this.unread = ` ${bad} could not be read and ${bad === "1 card" ? "is" : "are"} set aside.`;
        }
        return good;
      } catch {
        this.kept = false;
        this.locked = true;
        return this.memory;
      }
    },
    /** Return the texts that were set aside. */
    aside() {
      const text = localStorage.getItem(ASIDE) || "[]";
      try {
        const texts = JSON.parse(text);
        return Array.isArray(texts) ? texts : [text];
      } catch {
        return [text];
      }
    },
    write(state) {
      this.memory = state;
      if (this.locked) return;
      try {
        localStorage.setItem(KEY, JSON.stringify(state));
        this.kept = true;
      } catch {
        this.kept = false;
      }
    },
    forget() {
      this.write({});
      this.unread = "";
      try {
        localStorage.removeItem(ASIDE);
      } catch {
        this.kept = false;
      }
    },
  };

  /** Return the cards of a stored text that have the form that we write, and say what is left. */
  function sifted(text) {
    let cards;
    try {
      cards = JSON.parse(text);
    } catch {
      return { good: {}, bad: "The stored cards" };
    }
    if (cards === null || typeof cards !== "object" || Array.isArray(cards)) {
      return { good: {}, bad: "The stored cards" };
    }
    const fits = ([, card]) =>
      card &&
      Number.isInteger(card.box) &&
      card.box >= 1 &&
      card.box < WAIT.length &&
      Number.isFinite(card.due);
    const good = Object.entries(cards).filter(fits);
    const bad = Object.keys(cards).length - good.length;
    return { good: Object.fromEntries(good), bad: bad && `${bad} card${bad === 1 ? "" : "s"}` };
  }

  /** Move a card: again to the first box, hard stays, good one up. */
  function graded(before, grade, now) {
    const box = before ? before.box : 0;
    const next =
      grade === "again"
        ? 1
        : Math.min(Math.max(box + (grade === "good" ? 1 : 0), 1), WAIT.length - 1);
    return { box: next, due: grade === "again" ? now : now + WAIT[next] * DAY };
  }

  /** Cards that are due, longest due first, then new ones in the book's order. */
  function queue(cards, state, now) {
    const due = cards.filter((c) => state[c.slug] && state[c.slug].due <= now);
    due.sort((a, b) => state[a.slug].due - state[b.slug].due);
    return [...due, ...cards.filter((c) => !state[c.slug])];
  }

  function practice(root) {
    let state = store.read();
    let current = null;
    const status = make("p", { role: "status", class: "iv-status" });
    const stage = make("div", { class: "iv-stage" });
    const sheet = make("div", { class: "iv-print" });
    const file = make("input", {
      type: "file",
      id: "iv-import",
      accept: "application/json,.json",
      class: "form-control",
      onchange: load,
    });
    const form = make(
      "form",
      { class: "iv-form", "aria-label": "Choose the cards", onsubmit: (e) => e.preventDefault() },
      select("iv-topic", "Topic", { "": "All topics", ...data.topics }, next),
      select("iv-level", "Level", levelOptions(), next),
    );
    const tools = make(
      "div",
      { class: "iv-tools" },
      make("h2", {}, "Your progress"),
      make(
        "p",
        {},
        "It is kept in this browser only. Save it to a file to move it or to keep it safe.",
      ),
      make(
        "div",
        { class: "iv-form" },
        button("Save to a file", save),
        make(
          "div",
          { class: "iv-field" },
          make("label", { for: "iv-import" }, "Load from a file"),
          file,
        ),
        button("Print these cards", print),
        button("Forget everything", forget),
      ),
    );
    const chosen = () =>
      data.cards.filter(
        (c) =>
          (!value("iv-topic") || c.topic === value("iv-topic")) &&
          (!value("iv-level") || c.level === value("iv-level")),
      );

    function next(event) {
      const cards = chosen();
      const waiting = queue(cards, state, Date.now());
      // A card that was just failed comes back, but not at once if others wait.
      current = waiting.find((c) => !current || c.slug !== current.slug) || waiting[0] || null;
      const learned = cards.filter(
        (c) => state[c.slug] && state[c.slug].box === WAIT.length - 1,
      ).length;
      const fresh = cards.filter((c) => !state[c.slug]).length;
      const keep = store.kept
        ? ""
        : " This browser keeps no data: save to a file before you leave.";
      const counts = `${waiting.length - fresh} due, ${fresh} new, ${learned} in the last box.`;
      status.textContent = `${cards.length} cards chosen: ${counts}${store.unread}${keep}`;
      stage.replaceChildren(current ? cardView(current) : make("p", {}, rest(cards)));
      if (!current) return;
      stage.append(button("Show the answer", reveal, { id: "iv-show" }));
      typeset(stage);
      if (!event) stage.querySelector("h2").focus({ preventScroll: true });
    }

    function rest(cards) {
      if (!cards.length) return "No card has this topic and level.";
      const soon = new Date(Math.min(...cards.map((c) => state[c.slug].due)));
      return `Nothing is due. The next card comes back on ${soon.toLocaleDateString("en-US", { dateStyle: "long" })}.`;
    }

    function reveal() {
      document.getElementById("iv-show").remove();
      const grades = make("div", {
        class: "iv-form",
        role: "group",
        "aria-label": "How well did you know it?",
      });
      for (const [grade, text] of [
        ["again", "Again"],
        ["hard", "Hard"],
        ["good", "Good"],
      ]) {
        const after = graded(state[current.slug], grade, 0);
        const wait = grade === "again" ? "soon" : `${WAIT[after.box]} d`;
        grades.append(button(`${text} (${wait})`, () => grading(grade), { "data-grade": grade }));
      }
      stage.append(answerView(current), grades);
      typeset(stage);
      stage.querySelector(".iv-answer").setAttribute("tabindex", "-1");
      stage.querySelector(".iv-answer").focus({ preventScroll: true });
    }

    function grading(grade) {
      state = { ...state, [current.slug]: graded(state[current.slug], grade, Date.now()) };
      store.write(state);
      next();
    }

    function save() {
      const text = JSON.stringify(
        { what: KEY, cards: state, aside: store.kept ? store.aside() : [] },
        null,
        1,
      );
      const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      make("a", { href: url, download: "runproof-progress.json" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    }

    async function load() {
      if (!file.files.length) return;
      try {
        const read = JSON.parse(await file.files[0].text());
        if (read.what !== KEY) throw new Error("not a progress file of this page");
        const { good, bad } = sifted(JSON.stringify(read.cards));
        if (bad) throw new Error(`${bad} in it could not be read`);
        state = good;
        store.write(state);
        current = null;
        next(true);
        status.textContent = `Progress of ${Object.keys(state).length} cards loaded. ${status.textContent}`;
      } catch (error) {
        status.textContent = `The file was not loaded: ${error.message}. Your progress is as it was.`;
      }
      file.value = "";
    }

    function print() {
      sheet.replaceChildren(
        ...chosen().map((c) => {
          const view = make("article", {}, cardView(c), answerView(c));
          return view;
        }),
      );
      document.body.classList.add("iv-printing");
      const done = () => {
        document.body.classList.remove("iv-printing");
        sheet.replaceChildren();
      };
      window.addEventListener("afterprint", done, { once: true });
      const mathjax = window.MathJax;
      Promise.resolve(mathjax && mathjax.typesetPromise && mathjax.typesetPromise([sheet])).finally(
        () => window.print(),
      );
    }

    function forget() {
      if (!window.confirm("Forget the progress of all cards in this browser?")) return;
      state = {};
      store.forget();
      current = null;
      next(true);
    }

    document.addEventListener("keydown", (event) => {
      if (
        event.target.matches("input, select, textarea, summary, button, a") ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey
      )
        return;
      const grade = { 1: "again", 2: "hard", 3: "good" }[event.key];
      const target =
        event.key === " "
          ? document.getElementById("iv-show")
          : grade && stage.querySelector(`[data-grade="${grade}"]`);
      if (target) {
        event.preventDefault();
        target.click();
      }
    });

    root.append(form, status, stage, tools, sheet);
    next(true);
  }

  // Mock interview

  const MINUTES = { E: 3, M: 5, H: 8 };

  /** How often each part of the book is asked, by role. A topic that is not named counts 1. */
  const ROLES = {
    "machine-learning engineer": { python: 2, algorithms: 3, probability: 2 },
    "data scientist": { statistics: 3, probability: 3, numpy_and_pandas: 2 },
    "research scientist": {
      linear_algebra: 3,
      calculus_and_optimization: 3,
      probability: 3,
      algorithms: 0.5,
    },
    "software engineer": {
      algorithms: 4,
      python: 3,
      linear_algebra: 0.5,
      calculus_and_optimization: 0.5,
    },
  };

  /** Draw questions until the minutes are full: topics take turns, in proportion to their weight. */
  function draw(cards, role, minutes, seed) {
    const random = generator(seed);
    const weights = ROLES[role];
    const decks = new Map();
    for (const card of shuffled(cards, random)) {
      decks.set(card.topic, [...(decks.get(card.topic) || []), card]);
    }
    const turns = new Map(
      [...decks.keys()].map((topic) => [topic, random() / (weights[topic] || 1)]),
    );
    const drawn = [];
    let left = minutes;
    while (turns.size) {
      const [topic] = [...turns].reduce((a, b) => (b[1] < a[1] ? b : a));
      const deck = decks.get(topic);
      const fits = deck.findIndex((card) => MINUTES[card.level] <= left);
      if (fits < 0) {
        turns.delete(topic);
        continue;
      }
      const [card] = deck.splice(fits, 1);
      drawn.push(card);
      left -= MINUTES[card.level];
      turns.set(topic, turns.get(topic) + 1 / (weights[topic] || 1));
    }
    return drawn;
  }

  const clock = (seconds) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  function mock(root) {
    const stage = make("div", { class: "iv-stage" });
    const message = make("p", { role: "status", class: "iv-status" });
    const seedBox = make("input", {
      id: "iv-seed",
      type: "number",
      min: "1",
      max: "999999",
      step: "1",
      required: true,
      class: "form-control",
      value: String(1 + Math.floor(Math.random() * 999999)),
    });
    const minutesBox = make("input", {
      id: "iv-minutes",
      type: "number",
      min: "5",
      max: "180",
      step: "5",
      required: true,
      class: "form-control",
      value: "30",
    });
    const form = make(
      "form",
      { class: "iv-form", "aria-label": "Set up the interview", onsubmit: start },
      select(
        "iv-role",
        "Role",
        Object.fromEntries(Object.keys(ROLES).map((role) => [role, capital(role)])),
      ),
      select("iv-level", "Level", levelOptions()),
      make(
        "div",
        { class: "iv-field" },
        make("label", { for: "iv-minutes" }, "Minutes"),
        minutesBox,
      ),
      make("div", { class: "iv-field" }, make("label", { for: "iv-seed" }, "Seed"), seedBox),
      make("button", { type: "submit", class: "iv-button" }, "Start"),
    );
    let ticking = null;

    function start(event) {
      event.preventDefault();
      const level = value("iv-level");
      const cards = data.cards.filter((c) => !level || c.level === level);
      const drawn = draw(cards, value("iv-role"), Number(minutesBox.value), Number(seedBox.value));
      if (!drawn.length) {
        message.textContent =
          "No question of this level fits into this time. Give it more minutes.";
        return;
      }
      message.textContent = "";
      form.hidden = true;
      ask(drawn, 0, []);
    }

    function ask(drawn, number, answers) {
      const card = drawn[number];
      const began = performance.now();
      const used = () => (performance.now() - began) / 1000;
      const timer = make("p", { class: "iv-timer", role: "timer" });
      const tick = () => {
        timer.textContent = `${clock(used())} of about ${clock(60 * MINUTES[card.level])}`;
      };
      const done = () => {
        clearInterval(ticking);
        const results = [...answers, { card, seconds: used() }];
        if (number + 1 < drawn.length) ask(drawn, number + 1, results);
        else grade(results);
      };
      tick();
      clearInterval(ticking);
      ticking = setInterval(tick, 1000);
      stage.replaceChildren(
        make("p", { class: "iv-about" }, `Question ${number + 1} of ${drawn.length}`),
        cardView(card),
        timer,
        make("p", {}, "Answer aloud. The answers come at the end, as in a real interview."),
        button(number + 1 < drawn.length ? "Next question" : "Finish", done, { id: "iv-next" }),
      );
      typeset(stage);
      stage.querySelector("h2").focus({ preventScroll: true });
    }

    function grade(results) {
      const total = make("p", { role: "status", class: "iv-status" });
      const marks = { "": "Choose", 0: "Not yet", 1: "Partly", 2: "Well" };
      const body = make("tbody");
      results.forEach(({ card, seconds }, i) => {
        const box = make("select", {
          class: "form-select",
          "aria-label": `Your grade for question ${i + 1}`,
          onchange: sum,
        });
        for (const key of ["", "0", "1", "2"])
          box.append(make("option", { value: key }, marks[key]));
        const answer = make(
          "details",
          { class: "entry" },
          make("summary", {}, "Answer"),
          answerView(card),
        );
        body.append(
          make(
            "tr",
            {},
            make("td", {}, make("div", { html: card.question + card.given }), answer),
            make("td", {}, data.topics[card.topic]),
            make("td", {}, clock(seconds)),
            make("td", {}, box),
          ),
        );
      });
      const head = ["Question", "Topic", "Time", "Your grade"].map((text) =>
        make("th", { scope: "col" }, text),
      );
      function sum() {
        const given = [...body.querySelectorAll("select")]
          .map((box) => box.value)
          .filter(Boolean)
          .map(Number);
        const points = given.reduce((a, b) => a + b, 0);
        total.textContent = `${given.length} of ${results.length} graded: ${points} of ${2 * results.length} points.`;
      }
      const heading = make("h2", { tabindex: "-1" }, "Grade yourself");
      stage.replaceChildren(
        heading,
        make(
          "p",
          {},
          `Role: ${value("iv-role")}; seed ${seedBox.value}. The same seed and settings ask the same questions again.`,
        ),
        make(
          "div",
          { class: "iv-scroll", tabindex: "0", role: "region", "aria-label": "Grading sheet" },
          make("table", { class: "table" }, make("thead", {}, make("tr", {}, ...head)), body),
        ),
        total,
        make(
          "div",
          { class: "iv-form" },
          button("Print the sheet", () => window.print()),
          button("New interview", () => {
            stage.replaceChildren();
            form.hidden = false;
            seedBox.value = String(1 + Math.floor(Math.random() * 999999));
            form.querySelector("select").focus();
          }),
        ),
      );
      sum();
      typeset(stage);
      heading.focus({ preventScroll: true });
    }

    root.append(form, message, stage);
  }

  const pages = {
    "interview-index": index,
    "interview-practice": practice,
    "interview-mock": mock,
  };
  for (const [id, page] of Object.entries(pages)) {
    const root = document.getElementById(id);
    if (root) {
      root.replaceChildren();
      page(root);
    }
  }
})();
