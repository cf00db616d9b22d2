"""Every name that two packages must agree on, spelled once.

Record fields are the challenge's own; tensor keys are the contract between the input pipeline,
the backbones and the objectives. Pure constants: device code and data code both import this.
"""

# --- fields of a video record (one tf.train.Example per video); their kinds: records/fields.py ---
ID = "id"
TITLE = "title"
ASR_TEXT = "asr_text"
OCR_TEXT = "ocr_text"
FRAME_FEATURE = "frame_feature"
FRAME_TIME = "frame_time"  # seconds at which the frames were taken; kept, and read by no model
ACTION_FEATURE = "action_feature"
REGION_FEATURE = "region_feature"
REGION_BOX = "region_box"
REGION_CLASS = "region_class"  # of each region the share of each class of a detector
BOX_NUMBERS = 5  # x1 y1 x2 y2 area, each a share of the picture
TAG_ID = "tag_id"
ACTION_LABEL = "action_label"
CATEGORY_ID = "category_id"

# --- fields of a pair record: <video field>_1, <video field>_2 and the rating -------------------
SIM = "sim"
ID_1 = "id_1"
ID_2 = "id_2"

# --- inputs of a model --------------------------------------------------------------------------
TOKEN_IDS = "token_ids"  # (B, L) int32
TOKEN_MASK = "token_mask"  # (B, L) bool, True where a token is real
TOKEN_TYPES = "token_types"  # (B, L) int32, which text field; only where there are several
FRAMES = "frames"  # (B, T, d) float16, d as wide as the data
FRAME_MASK = "frame_mask"  # (B, T) bool
ACTIONS = "actions"  # (B, A, d) float16
ACTION_MASK = "action_mask"  # (B, A) bool
REGIONS = "regions"  # (B, R, d) float16
REGION_MASK = "region_mask"  # (B, R) bool
REGION_BOXES = "region_boxes"  # (B, R, 5) float16
REGION_CLASSES = "region_classes"  # (B, R, C) float16, learned in pretraining and read by no model
TAGS = "tags"  # (B, C) uint8 multi-hot
ACTION_LABELS = "action_labels"  # (B, A) uint8 multi-hot
CATEGORY = "category"  # (B,) int32 class number, -1 where a video has none
VIDEO_ROW = "video_row"  # (B,) int32, of retrieval: which video a sentence is of
CLASS_SHARES = "class_shares"  # (B, C) float32, in each row each class's share of the training part
MLM_POSITIONS = "mlm_positions"  # (B, P) int32 positions within the title
MLM_LABELS = "mlm_labels"  # (B, P) int32 original token ids
MLM_WEIGHTS = "mlm_weights"  # (B, P) float32, 0 where a slot is unused
UNMASKED_IDS = "unmasked_ids"  # (B, L) int32, token_ids before words were masked
MATCHED = "matched"  # (B,) bool, whether the streams of a row are those of its text's video
# vectors that are to be predicted, and those of them that the model sees as zeros: (B, T) bool
FRAMES_CHOSEN = "frames_chosen"
FRAMES_HIDDEN = "frames_hidden"
ACTIONS_CHOSEN = "actions_chosen"
ACTIONS_HIDDEN = "actions_hidden"

# --- outputs of a backbone ----------------------------------------------------------------------
EMBEDDING = "embedding"  # (B, 256)
TAG_LOGITS = "tag_logits"  # (B, C)
BRANCH_LOGITS = "branch_logits"  # (K, B, C), the mixture's branches
TEXT_VECTOR = "text_vector"  # (B, D) text before fusion
WORD_VECTOR = "word_vector"  # (B, H) encoder output over the title's tokens, pooled
VISION_VECTORS = "vision_vectors"  # (K, B, D) each branch's frames before fusion
HIDDEN_STATES = "hidden_states"  # (B, L, H) encoder output over the title's tokens
FRAME_STATES = "frame_states"  # (B, T, W) encoder output over the frames
ACTION_STATES = "action_states"  # (B, A, W) encoder output over the actions
MATCH_VECTOR = "match_vector"  # (B, W) what says whether text and streams belong together
# what a model with a momentum teacher adds; K keys: the batch's and the queue's
TEXT_COSINES = "text_cosines"  # (B, K) float32 of each text with the teacher's videos
VIDEO_COSINES = "video_cosines"  # (B, K) float32 of each video with the teacher's texts
TEXT_TARGETS = "text_targets"  # (B, K) float32, what the softmax of the cosines should be
VIDEO_TARGETS = "video_targets"  # (B, K) float32
TEACHER_LOGITS = "teacher_logits"  # (B, P, V) float32 of the masked words
TEACHER_SHARE = "teacher_share"  # (B,) float32, how much the teacher's word counts
MATCH_LOGITS = "match_logits"  # (N, 2) float32 of rows that match and rows that do not
MATCH_LABELS = "match_labels"  # (N,) float32, 1 where they match
MATCH_WEIGHTS = "match_weights"  # (N,) float32, 0 where a batch had nothing that does not match
BY_BRANCH = (BRANCH_LOGITS, VISION_VECTORS)  # whose batch axis is the second

# --- outputs that a task adds -------------------------------------------------------------------
COSINE = "cosine"  # (B,) float32, of the two embeddings of each pair
TEXT_EMBEDDING = "text_embedding"  # (B, 256) of sentences
VIDEO_EMBEDDING = "video_embedding"  # (B, 256) of videos, by their frames
CLASS_LOGITS = "class_logits"  # (B, H, C) float32, of H heads
OWN_SHARE = "own_share"  # (B,) float32, what a mixed row has of itself; the rest is its partner's
PARTNER = "partner"  # (B,) int32, the row that a row is mixed with

# --- arrays of a file of predictions --------------------------------------------------------------
IDS = "ids"  # (N,) str
EMBEDDINGS = "embeddings"  # (N, D) float32
PROBABILITIES = "probabilities"  # (B, C) float32 of the classes, one of which a video has
CLASSES = "classes"  # (C,) int64, the category id of each class
