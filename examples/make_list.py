"""Write the classic list of 10,000 contacts: 5,000 at Gmail, 2,000 at Hotmail, 3,000 at Yahoo.

python examples/make_list.py > list.csv
"""

import csv
import random
import sys

SHARES = {"gmail.com": 5000, "hotmail.com": 2000, "yahoo.com": 3000}
FIRST_NAMES = ("Ann", "Ben", "Chloé", "Deniz", "Eva", "Farid", "Grażyna", "Hiro", "Inés", "Jörg")
LAST_NAMES = ("Lee", "Stone", "García", "Yılmaz", "Novak", "Haddad", "Kowalska", "Satō", "Pérez", "Weiß")
CITIES = ("Cork", "Graz", "Köln", "Leeds", "Łódź", "Sevilla", "")


def main() -> None:
    """The same list every time, its providers mixed."""
    chance = random.Random(1)  # noqa: S311
    domains = [domain for domain, count in SHARES.items() for _ in range(count)]
    chance.shuffle(domains)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["email", "first_name", "last_name", "city"])
    for number, domain in enumerate(domains, 1):
        person = [chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES), chance.choice(CITIES)]
        writer.writerow([f"contact{number:05d}@{domain}", *person])


if __name__ == "__main__":
    main()
