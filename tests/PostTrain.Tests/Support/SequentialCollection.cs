namespace PostTrain.Tests.Support;

/// <summary>Tests that change or count what the whole process shares run one after another, and beside nothing else.</summary>
[CollectionDefinition("Sequential", DisableParallelization = true)]
public sealed class SequentialCollection;
