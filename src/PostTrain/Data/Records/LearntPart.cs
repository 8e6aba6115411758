namespace PostTrain.Data.Records;

/// <summary>Part of a conversation that is learnt.</summary>
public enum LearntPart
{
    /// <summary>Every message of the assistant, with the end of its turn.</summary>
    Assistant,

    /// <summary>The last message of the assistant; earlier ones are given.</summary>
    LastTurn,

    /// <summary>The whole text after the messages that are given, whoever speaks.</summary>
    Everything,
}
