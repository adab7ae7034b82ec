#include "clearing/policy/facts.h"

int sq_attr_multiple(uint32_t attribute)
{
    return attribute >= SQ_ATTR_LISTS || attribute == SQ_ATTR(FILING) || attribute == SQ_ATTR(CHANNEL) ||
           attribute == SQ_ATTR(STANDARD) || attribute == SQ_ATTR(ZONE);
}

int sq_ranges_hold(const struct sq_range *ranges, size_t count, int64_t v)
{
    size_t low = 0, high = count; /* the first range that does not end before v */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].high < v)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].low <= v;
}

static enum sq_match match_issuer(const struct sq_facts *f, uint32_t issuer, uint32_t attribute, uint32_t day,
                                  const struct sq_range *ranges, size_t count, int64_t *seen)
{
    enum sq_match found = SQ_UNKNOWN;
    for (uint32_t n = f->first; n != SQ_ROW_NONE;) {
        const struct sq_fact *fact = SQ_ROW(f->table, struct sq_fact, n);
        n = fact->next;
        if (fact->attribute != attribute || fact->issuer != issuer || day < fact->from_day || day > fact->until_day)
            continue;
        *seen = fact->value;
        if (sq_ranges_hold(ranges, count, fact->value))
            return SQ_WITHIN;
        found = SQ_OUTSIDE;
    }
    return found;
}

enum sq_match sq_facts_match(const struct sq_facts *f, uint32_t issuer, uint32_t attribute, uint32_t day,
                             const struct sq_range *ranges, size_t count, int64_t *seen)
{
    enum sq_match own = match_issuer(f, issuer, attribute, day, ranges, count, seen);
    if (own == SQ_WITHIN || (own == SQ_OUTSIDE && !sq_attr_multiple(attribute)) || issuer == 0)
        return own;
    enum sq_match node = match_issuer(f, 0, attribute, day, ranges, count, seen);
    return node == SQ_UNKNOWN ? own : node;
}
