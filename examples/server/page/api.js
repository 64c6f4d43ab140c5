// Talking to the server.

/** An answer that is not a success. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const get = (path) => request(path, {});

export const post = (path, body = {}) =>
  request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function request(path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  const response = await fetch(path, { ...options, headers });
  const answer = await response.json();
  if (!response.ok) throw new ApiError(response.status, answer.error);
  return answer;
}

/** Logs in and gives the page to go on with, which is one of ours. */
export async function logIn(credentials) {
  const { redirect } = await post("/api/login", credentials);
  const target = new URL(redirect, location.origin);
  return target.origin === location.origin ? target.pathname : "/";
}
