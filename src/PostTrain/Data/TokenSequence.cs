namespace PostTrain.Data;

/// <summary>One training sequence as token ids: a prompt and what follows it.</summary>
/// <param name="Ids">All tokens; at least two, since the first is only read and the last only predicted.</param>
/// <param name="PromptLength">How many of them are the prompt, whose tokens are not learnt; 0 to the number of tokens.</param>
public sealed record TokenSequence(int[] Ids, int PromptLength = 0);
