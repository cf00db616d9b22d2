"""Every name that two rooms must agree on, spelled once.

Record fields are the challenge's own; tensor keys are the contract between the input pipeline,
the backbones and the objectives. Pure constants: device code and data code both import this.
"""

# --- fields of a video record (one tf.train.Example per video) ---------------------------------
ID = "id"
TITLE = "title"
ASR_TEXT = "asr_text"
OCR_TEXT = "ocr_text"
FRAME_FEATURE = "frame_feature"
TAG_ID = "tag_id"
CATEGORY_ID = "category_id"
VIDEO_FIELDS = (ID, TAG_ID, FRAME_FEATURE, CATEGORY_ID, TITLE, ASR_TEXT)

# --- fields of a pair record: <video field>_1, <video field>_2 and the rating -------------------
SIM = "sim"
ID_1 = "id_1"
ID_2 = "id_2"
FRAME_FEATURE_1 = "frame_feature_1"  # present only in self-contained pair files

FRAME_SIZE = 1536  # numbers in one frame feature
FRAME_BYTES = 2 * FRAME_SIZE  # stored as little-endian float16

# --- inputs of a model --------------------------------------------------------------------------
TOKEN_IDS = "token_ids"  # (B, L) int32
TOKEN_MASK = "token_mask"  # (B, L) bool, True where a token is real
TOKEN_TYPES = "token_types"  # (B, L) int32, the number of the text that a token is of
FRAMES = "frames"  # (B, T, F) float16
FRAME_MASK = "frame_mask"  # (B, T) bool
TAGS = "tags"  # (B, C) uint8 multi-hot
MLM_POSITIONS = "mlm_positions"  # (B, P) int32 positions within the title
MLM_LABELS = "mlm_labels"  # (B, P) int32 original token ids
MLM_WEIGHTS = "mlm_weights"  # (B, P) float32, 0 where a slot is unused

# --- outputs of a backbone ----------------------------------------------------------------------
EMBEDDING = "embedding"  # (B, 256)
TAG_LOGITS = "tag_logits"  # (B, C)
BRANCH_LOGITS = "branch_logits"  # (K, B, C), the mixture's branches
TEXT_VECTOR = "text_vector"  # (B, D) text before fusion
VISION_VECTORS = "vision_vectors"  # (K, B, D) each branch's frames before fusion
HIDDEN_STATES = "hidden_states"  # (B, L, H) encoder output over the title's tokens
BY_BRANCH = (BRANCH_LOGITS, VISION_VECTORS)  # whose batch axis is the second

# --- outputs that a task adds -------------------------------------------------------------------
COSINE = "cosine"  # (B,) float32, of the two embeddings of each pair
