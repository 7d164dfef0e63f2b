// Control's API, read only. The token goes into one header and nowhere else.

const TIMEOUT_MS = 10_000;

// kind: "token" (not accepted), "answer" (the API says no), "unreachable" (no answer at all).
export class ApiError extends Error {
  constructor(kind, message, next = "", code = "") {
    super(message);
    this.kind = kind;
    this.next = next;
    this.code = code;
  }
}

async function errorOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not from the API itself: something between answers for it.
  }
  const message = String(error.message ?? `Control answered ${response.status}.`);
  const kind = response.status === 401 ? "token"
    : error.code || response.status < 500 ? "answer" : "unreachable";
  return new ApiError(kind, message, String(error.next ?? ""), String(error.code ?? ""));
}

export class Api {
  constructor(token) {
    this.token = token;
  }

  // `parts` of the path are encoded here; the answer is JSON.
  async get(parts, query = {}) {
    const path = "/v1/" + parts.map(encodeURIComponent).join("/");
    const search = new URLSearchParams(query).toString();
    let response;
    try {
      response = await fetch(search ? `${path}?${search}` : path, {
        headers: { Authorization: `Bearer ${this.token}`, Accept: "application/json" },
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new ApiError("unreachable", "Control cannot be reached.");
    }
    if (!response.ok) throw await errorOf(response);
    try {
      return await response.json();
    } catch {
      throw new ApiError("unreachable", "Control's answer cannot be read.");
    }
  }
}
