namespace PostTrain.Vision;

/// <summary>Parts of a <see cref="VisionLm"/> that are trained.</summary>
[Flags]
public enum VisionParts
{
    /// <summary>No part.</summary>
    None = 0,

    /// <summary>The projector alone: LLaVA's first stage.</summary>
    Projector = 1,

    /// <summary>The language model.</summary>
    Language = 2,

    /// <summary>The encoder of pictures.</summary>
    Encoder = 4,
}
