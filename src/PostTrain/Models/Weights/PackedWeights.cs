using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The tensors of compressed weights, which a tree lists neither as parameters nor as buffers.</summary>
internal static class PackedWeights
{
    /// <summary>With the names of their modules.</summary>
    public static IEnumerable<(string Name, Tensor Tensor)> Of(nn.Module model) =>
        model
            .named_modules()
            .SelectMany(item =>
                (
                    item.module switch
                    {
                        IPackedWeight packed => packed.Parts,
                        TokenEmbedding { Packed: { } table } => table.Parts,
                        _ => [],
                    }
                ).Select(part => ($"{item.name}.{part.Name}", part.Tensor))
            );
}
