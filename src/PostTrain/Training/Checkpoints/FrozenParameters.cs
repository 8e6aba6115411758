using System.Security.Cryptography;
using System.Text;
using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The parameters that a run does not train: the base under an adapter.</summary>
internal static class FrozenParameters
{
    // A span of bytes holds less than 2 GiB.
    private const long ChunkElements = 1 << 26;

    /// <summary>SHA-256 over the names, shapes and bytes of all parameters without a gradient and of compressed weights, as hexadecimal
    /// digits; empty where all are trained.</summary>
    internal static string Digest(nn.Module model)
    {
        (string name, Tensor parameter)[] frozen =
        [
            .. model.named_parameters().Where(p => !p.parameter.requires_grad).Select(p => (p.name, (Tensor)p.parameter)),
            .. PackedWeights.Of(model),
        ];
        if (frozen.Length == 0)
            return "";
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var mode = no_grad();
        foreach (var (name, parameter) in frozen)
        {
            using var scope = NewDisposeScope();
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {parameter.dtype} {string.Join(",", parameter.shape)}\n"));
            var flat = parameter.detach().contiguous().view(-1);
            for (long start = 0; start < flat.NumberOfElements; start += ChunkElements)
                hash.AppendData(flat.narrow(0, start, Math.Min(ChunkElements, flat.NumberOfElements - start)).cpu().bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
