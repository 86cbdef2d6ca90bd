// The sample tokens by role, where the server offers them to this page; else there is one that the reader types in.
const offered = JSON.parse(document.getElementById('tokens').textContent);
let typed = '';

export const areOffered = Object.keys(offered).length > 0;

export function type(token) {
  typed = token.trim();
}

export function headersFor(role) {
  const token = typed || offered[role];
  return token ? JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2) : '{}';
}
