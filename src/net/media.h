// media.h - what kind of content: types of files, bodies and answers.  Room: net. Includes: base.
// Threads: any. Pure. Everything returned is static text.
#ifndef HYI_NET_MEDIA_H
#define HYI_NET_MEDIA_H

#include <hypha/base.h>

#define HYI_MEDIA_JSON "application/json"
#define HYI_MEDIA_PROTOBUF "application/x-protobuf"

typedef enum hyi_media { HYI_MEDIA_OTHER, HYI_MEDIA_IS_JSON, HYI_MEDIA_IS_PROTOBUF } hyi_media;

// What a Content-Type header says; parameters after ';' do not count.
hyi_media hyi_media_of(hy_bytes content_type);

// Which of the two an Accept header prefers: by quality, then by its order. JSON when it does not
// say or wants neither: an answer in a form nobody asked for still tells more than none.
hyi_media hyi_media_accepted(hy_bytes accept);

// The content type for a file of that name; "application/octet-stream" when unknown.
const char *hyi_media_of_file(hy_text name);

#endif
