// What AWS would charge for what the machine did so far, line by line.

import { byId, html, say } from "./dom.js";
import { dollars } from "./numbers.js";

export const drawBill = ({ usd = {} }) => {
  const lines = Object.entries(usd);
  say(byId("charge"), dollars(lines.reduce((sum, [, each]) => sum + each, 0)));
  const rows = byId("bill");
  for (const [n, [name, each]] of lines.entries()) {
    const id = `bill-${n}`;
    if (!byId(id)) {
      const head = html("th", { scope: "row" }, name);
      rows.append(html("tr", {}, head, html("td", { id, class: "number" })));
    }
    say(byId(id), dollars(each));
  }
};
