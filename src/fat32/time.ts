// Dates and times of directory entries (FAT32 File System Specification 1.03, "Date and Time Formats").
// They are local times by the specification; UTC is stored here, so that an image does not depend on where
// it was made. The calendar is done by hand: from 1980 to 2107 every fourth year is a leap year but 2100.

/** 1980-01-01 00:00:00 UTC, in seconds since 1970. */
export const EARLIEST_TIME = 315_532_800;

/** 2107-12-31 23:59:58 UTC, in seconds since 1970. */
export const LATEST_TIME = 4_354_819_198;

/** A moment as a directory entry has it. */
export interface FatTime {
  /** Years since 1980, month and day: 7, 4 and 5 bits. */
  readonly date: number;
  /** Hours, minutes and pairs of seconds: 5, 6 and 5 bits. */
  readonly time: number;
  /** Hundredths of a second beyond `time`, 0 to 199. */
  readonly hundredths: number;
}

const DAY = 86_400;
const DAYS_OF_FOUR_YEARS = 1461;

/** In days since 1980, what 2100-02-29 would be if that year had one. */
const MISSING_LEAP_DAY = 43_889;

/** Days of a year before each month, without the leap day. */
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;

/** Days of a leap year before the end of February. */
const LEAP_DAY = 59;

/**
 * A time for a directory entry. What lies before 1980 or after 2107 becomes the nearer end of that range.
 *
 * @param seconds whole seconds since 1970
 * @param nanoseconds 0 … 999,999,999 beyond them
 */
export function fatTime(seconds: number, nanoseconds: number): FatTime {
  if (!(seconds >= EARLIEST_TIME)) return fatTime(EARLIEST_TIME, 0);
  if (seconds > LATEST_TIME) return fatTime(LATEST_TIME, 0);
  const sinceStart = seconds - EARLIEST_TIME;
  const secondOfDay = sinceStart % DAY;
  const calendarDay = Math.floor(sinceStart / DAY);
  const day = calendarDay >= MISSING_LEAP_DAY ? calendarDay + 1 : calendarDay;
  const dayOfFourYears = day % DAYS_OF_FOUR_YEARS;
  const yearOfFour = dayOfFourYears < 366 ? 0 : Math.floor((dayOfFourYears - 1) / 365);
  const dayOfYear = yearOfFour === 0 ? dayOfFourYears : dayOfFourYears - 365 * yearOfFour - 1;
  const year = 4 * Math.floor(day / DAYS_OF_FOUR_YEARS) + yearOfFour;
  const isLeapDay = yearOfFour === 0 && dayOfYear === LEAP_DAY;
  const commonDay = yearOfFour === 0 && dayOfYear >= LEAP_DAY ? dayOfYear - 1 : dayOfYear;
  let month = 11;
  while (DAYS_BEFORE_MONTH[month]! > commonDay) month--;
  const dayOfMonth = commonDay - DAYS_BEFORE_MONTH[month]! + (isLeapDay ? 2 : 1);
  const hour = Math.floor(secondOfDay / 3600);
  const minute = Math.floor((secondOfDay % 3600) / 60);
  const second = secondOfDay % 60;
  return {
    date: (year << 9) | ((month + 1) << 5) | dayOfMonth,
    time: (hour << 11) | (minute << 5) | (second >> 1),
    hundredths: (second & 1) * 100 + Math.floor(nanoseconds / 1e7),
  };
}

/**
 * The seconds since 1970 of a directory entry's date and time. Impossible values, which are found in the
 * wild (a date of 0), are taken for the nearest possible ones.
 */
export function secondsOf(date: number, time: number): number {
  const year = date >> 9;
  const month = Math.min(Math.max((date >> 5) & 0xf, 1), 12) - 1;
  const dayOfMonth = Math.max(date & 0x1f, 1) - 1;
  const isAfterLeapDay = year % 4 === 0 && month > 1;
  const day =
    DAYS_OF_FOUR_YEARS * (year >> 2) +
    365 * (year % 4) +
    (year % 4 > 0 ? 1 : 0) +
    DAYS_BEFORE_MONTH[month]! +
    (isAfterLeapDay ? 1 : 0) +
    dayOfMonth;
  const calendarDay = day > MISSING_LEAP_DAY ? day - 1 : day;
  const hour = Math.min(time >> 11, 23);
  const minute = Math.min((time >> 5) & 0x3f, 59);
  const second = Math.min(2 * (time & 0x1f), 59);
  return EARLIEST_TIME + calendarDay * DAY + hour * 3600 + minute * 60 + second;
}
