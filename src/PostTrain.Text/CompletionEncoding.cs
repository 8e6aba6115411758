namespace PostTrain.Text;

/// <summary>Token ids of a prompt and its completion.</summary>
/// <param name="Ids">All ids.</param>
/// <param name="PromptLength">Number of ids of the prompt.</param>
/// <param name="Learnt">True for each learnt token; null: all tokens after the prompt.</param>
/// <param name="JoinsBorder">True if the tokenizer joins letters across the beginning of learnt text. The ids are then those that sampling
/// sees: the text before it alone, and the rest after it.</param>
internal readonly record struct CompletionEncoding(int[] Ids, int PromptLength, bool[]? Learnt, bool JoinsBorder);
