using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace PostTrain.Torch.Tests.Api;

/// <summary>Which of the engine's types an assembly refers to, read from its metadata.</summary>
internal static class EngineUse
{
    private const string Engine = "PostTrain.Torch";

    /// <summary>Full names, nested types with dots, of every type of the engine that the file refers to.</summary>
    internal static IReadOnlySet<string> Types(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var handle in metadata.TypeReferences)
            if (Name(metadata, handle) is { } name) names.Add(name);
        return names;
    }

    // Null where the type is not the engine's.
    private static string? Name(MetadataReader metadata, TypeReferenceHandle handle)
    {
        var type = metadata.GetTypeReference(handle);
        var name = metadata.GetString(type.Name);
        switch (type.ResolutionScope.Kind)
        {
            case HandleKind.TypeReference:
                return Name(metadata, (TypeReferenceHandle)type.ResolutionScope) is { } outer ? $"{outer}.{name}" : null;
            case HandleKind.AssemblyReference:
                var assembly = metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope);
                return metadata.GetString(assembly.Name) == Engine ? $"{metadata.GetString(type.Namespace)}.{name}" : null;
            default:
                return null;
        }
    }
}
