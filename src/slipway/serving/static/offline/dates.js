// Dates as days since 1970-01-01 in UTC, and their parts: slipway/table/dates.py and date_parts.py.
import { NeedsServer } from "./needs-server.js";

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const DAY = 86_400_000; // ms
const MINUTE = 60_000;
const FIRST = utc(1, 1, 1);
const LAST = utc(9999, 12, 31) + DAY; // ms; what comes before it is in the year 9999
const INSTANT = 1e-6; // hours; a time of day is not exact as a part of a double

function utc(year, month, day) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC takes the year 1 for 1901
  return date.getTime();
}

export function isDate(text) {
  return ISO.test(text);
}

/* Days of an ISO 8601 text; NaN when it is none */
export function days(text) {
  const found = ISO.exec(text);
  if (!found) {
    return NaN;
  }
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((digits) => Number(digits ?? 0));
  const midnight = utc(year, month, day);
  const exists = new Date(midnight).getUTCMonth() === month - 1 && month > 0 && day > 0 && year > 0;
  if (!exists || hour > 23 || minute > 59 || second > 59) {
    return NaN;
  }
  const whole = midnight + ((hour * 60 + minute) * 60 + second) * 1000 - zone(found[8]);
  if (whole < FIRST || whole >= LAST) {
    return NaN;
  }
  const micros = Number((found[7] ?? "").padEnd(6, "0"));
  return micros % 1000 ? fine(whole * 1000 + micros) : (whole + micros / 1000) / DAY;
}

/* The offset in ms of a zone, which Python also reads with more than 59 minutes */
function zone(text) {
  if (!text || text === "Z") {
    return 0;
  }
  const [hours, minutes] = [text.slice(1, 3), text.slice(-2)].map(Number);
  if (hours > 23 || minutes > 59) {
    throw new NeedsServer();
  }
  return (text[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * MINUTE;
}

/* Days of microseconds; far from 1970 a double does not hold them, and the quotient would be another one */
function fine(micros) {
  if (!Number.isSafeInteger(micros)) {
    throw new NeedsServer();
  }
  return micros / (DAY * 1000);
}

const start = (date, month) => utc(date.getUTCFullYear(), month, 1) / DAY;
const weekday = (whole) => (((whole + 3) % 7) + 7) % 7; // 1970-01-01 was a Thursday

const OF_WHOLE_DAYS = {
  year: (whole, date) => date.getUTCFullYear(),
  month: (whole, date) => date.getUTCMonth() + 1,
  week: (whole) => week(whole - weekday(whole) + 3), // ISO 8601: the one that its Thursday is in
  day: (whole, date) => date.getUTCDate(),
  day_of_year: (whole, date) => whole - start(date, 1) + 1,
  weekday,
};

function week(thursday) {
  return Math.floor((thursday - start(new Date(thursday * DAY), 1)) / 7) + 1;
}

export const PARTS = new Set([...Object.keys(OF_WHOLE_DAYS), "hour"]);

/* One part of a date; NaN where there is none */
export function datePart(name, value) {
  if (Number.isNaN(value)) {
    return NaN;
  }
  const whole = Math.floor(value);
  if (name === "hour") {
    return Math.min(Math.floor((value - whole) * 24 + INSTANT), 23);
  }
  return OF_WHOLE_DAYS[name](whole, new Date(whole * DAY));
}
