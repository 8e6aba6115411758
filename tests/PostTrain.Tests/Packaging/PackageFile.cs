using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace PostTrain.Tests.Packaging;

/// <summary>A package as it lies in a folder, and the symbols beside it.</summary>
internal sealed class PackageFile : IDisposable
{
    private readonly ZipArchive package;
    private readonly ZipArchive symbols;
    private readonly XElement metadata;

    internal PackageFile(string folder, string id, string version)
    {
        package = ZipFile.OpenRead(Path.Combine(folder, $"{id}.{version}.nupkg"));
        symbols = ZipFile.OpenRead(Path.Combine(folder, $"{id}.{version}.snupkg"));
        Id = id;
        metadata = XDocument.Parse(Text($"{id}.nuspec")).Root!.Elements().Single();
    }

    internal string Id { get; }

    /// <summary>Every file but the container's own.</summary>
    internal string[] Files =>
        [
            .. package
                .Entries.Select(entry => entry.FullName)
                .Where(name => !name.StartsWith('_') && !name.StartsWith("package/", StringComparison.Ordinal) && name[0] != '['),
        ];

    /// <summary>Name and version of what it depends on.</summary>
    internal (string Id, string Version)[] Dependencies =>
        [
            .. metadata
                .Descendants()
                .Where(element => element.Name.LocalName == "dependency")
                .Select(element => (element.Attribute("id")!.Value, element.Attribute("version")!.Value)),
        ];

    /// <summary>A field of its description, empty where it is missing.</summary>
    internal string Field(string name) => metadata.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value ?? "";

    internal string Text(string name)
    {
        using var reader = new StreamReader(package.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    /// <summary>Whether the symbols are those of the assembly: both bear one identity.</summary>
    internal bool SymbolsBelongToTheAssembly()
    {
        using var assembly = new PEReader(Content(package, $"lib/net10.0/{Id}.dll"));
        using var provider = MetadataReaderProvider.FromPortablePdbStream(Content(symbols, $"lib/net10.0/{Id}.pdb"));
        var wanted = assembly.ReadDebugDirectory().Single(entry => entry.Type == DebugDirectoryEntryType.CodeView);
        return new BlobContentId(provider.GetMetadataReader().DebugMetadataHeader!.Id).Guid
            == assembly.ReadCodeViewDebugDirectoryData(wanted).Guid;
    }

    public void Dispose()
    {
        package.Dispose();
        symbols.Dispose();
    }

    private static MemoryStream Content(ZipArchive archive, string name)
    {
        var content = new MemoryStream();
        using (var entry = archive.GetEntry(name)!.Open())
            entry.CopyTo(content);
        content.Position = 0;
        return content;
    }
}
