// What must be sent before the page may be left: the editor puts its draft here.
const senders = new Set();

export function sendFirst(sender) {
  senders.add(sender);
}

/** True when everything typed has reached the hub. */
export async function allSent() {
  return (await Promise.all([...senders].map((sender) => sender()))).every(Boolean);
}
