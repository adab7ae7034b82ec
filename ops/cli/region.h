/* Words for the standing of a region. */
#ifndef SQ_REGION_H
#define SQ_REGION_H

/* "suspended" and so on, as the node says it, in the reader's language. */
const char *sq_standing_text(const char *name);

#endif
