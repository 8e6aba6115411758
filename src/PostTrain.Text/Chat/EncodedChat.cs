namespace PostTrain.Text.Chat;

/// <summary>A conversation as token ids.</summary>
/// <param name="Ids">All tokens.</param>
/// <param name="AssistantMask">For each token whether the assistant spoke it; null where the template does not mark it.</param>
public sealed record EncodedChat(int[] Ids, bool[]? AssistantMask);
