using System.Text.Json;

namespace PostTrain.Data.Records;

/// <summary>Options of a conversation that becomes training data.</summary>
public sealed record ConversationOptions
{
    /// <summary>The part that is learnt.</summary>
    /// <value>The default is <see cref="LearntPart.Assistant"/>.</value>
    public LearntPart Learnt { get; init; } = LearntPart.Assistant;

    /// <summary>Number of messages at the beginning of which nothing is learnt: the prompt of a record that has one.</summary>
    /// <value>The default is 0.</value>
    public int Given { get; init; }

    /// <summary>JSON schemas of the functions that the assistant may call in this conversation.</summary>
    /// <value>The default is null: those of the template's options.</value>
    public IReadOnlyList<JsonElement>? Tools { get; init; }
}
