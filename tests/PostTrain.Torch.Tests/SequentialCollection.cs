namespace PostTrain.Torch.Tests;

/// <summary>Tests that touch what the whole process shares; nothing else runs beside them.</summary>
[CollectionDefinition("Sequential", DisableParallelization = true)]
public class SequentialCollection;
