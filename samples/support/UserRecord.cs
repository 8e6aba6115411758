using PostTrain.Data.Chat;

namespace PostTrain.Samples.Support;

/// <summary>A record of a user's file, in any of the usual forms; a file has one of them.</summary>
/// <param name="Prompt">What is continued, as it is.</param>
/// <param name="Completion">What is to be learnt.</param>
/// <param name="Instruction">An instruction, put into a template.</param>
/// <param name="Input">What the instruction is about; may be empty.</param>
/// <param name="Output">The answer to the instruction.</param>
/// <param name="Question">Another name of the instruction.</param>
/// <param name="Answer">Another name of the output, and what a verifier compares with.</param>
/// <param name="Chosen">The preferred completion.</param>
/// <param name="Rejected">The other one.</param>
/// <param name="Messages">A conversation, put into the model's chat template; its last message is to be learnt.</param>
/// <param name="Completions">The steps of a solution to the prompt.</param>
/// <param name="Labels">Whether each step is right.</param>
public sealed record UserRecord(
    string? Prompt = null,
    string? Completion = null,
    string? Instruction = null,
    string? Input = null,
    string? Output = null,
    string? Question = null,
    string? Answer = null,
    string? Chosen = null,
    string? Rejected = null,
    IReadOnlyList<ChatMessage>? Messages = null,
    IReadOnlyList<string>? Completions = null,
    IReadOnlyList<bool>? Labels = null);
