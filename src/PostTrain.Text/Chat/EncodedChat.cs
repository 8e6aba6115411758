namespace PostTrain.Text.Chat;

/// <summary>An encoded conversation.</summary>
/// <param name="Ids">All tokens.</param>
/// <param name="AssistantMask">True for each token of the assistant; null if the template does not mark them.</param>
public sealed record EncodedChat(int[] Ids, bool[]? AssistantMask);
