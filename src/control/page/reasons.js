// Cause and remedy of each reason, out of docs/errors.md, which the binary serves beside the page.

// {reason: {cause, remedy}} of the table's rows.
export function parseReasons(markdown) {
  const reasons = {};
  for (const line of markdown.split("\n")) {
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
    if (cells.length !== 3 || !line.includes("`")) continue;
    for (const name of cells[0].replaceAll("`", "").split(",").map((one) => one.trim())) {
      if (/^[a-z0-9_]+$/.test(name)) reasons[name] = { cause: cells[1], remedy: cells[2] };
    }
  }
  // "the same" points at the row above.
  let above = "";
  for (const one of Object.values(reasons)) {
    if (one.remedy === "the same") one.remedy = above;
    else above = one.remedy;
  }
  return reasons;
}

export async function loadReasons() {
  try {
    const response = await fetch("/page/errors.md", { credentials: "omit" });
    return response.ok ? parseReasons(await response.text()) : {};
  } catch {
    return {};
  }
}
