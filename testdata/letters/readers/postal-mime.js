// Prints what postal-mime (npm) reads in each message: a line of JSON per file.
const { createHash } = require('crypto');
const { readFileSync } = require('fs');
const { default: PostalMime } = require('postal-mime');

const boxes = list => (list || []).map(a => ({ name: a.name, address: a.address }));

async function read(name) {
	const m = await PostalMime.parse(readFileSync(name));
	return {
		subject: m.subject, from: boxes(m.from && [m.from]), to: boxes(m.to), cc: boxes(m.cc), text: m.text || '', html: m.html || '',
		files: m.attachments.map(a => {
			const content = Buffer.from(a.content);
			return {
				name: a.filename || '', type: a.mimeType, size: content.length, sha256: createHash('sha256').update(content).digest('hex'),
				inline: a.disposition === 'inline', id: (a.contentId || '').replace(/^<|>$/g, ''),
			};
		}),
		defects: m.bcc ? ['a Bcc field'] : [],
	};
}

(async () => {
	for (const file of process.argv.slice(2)) {
		const out = await read(file).catch(e => ({ defects: [String(e)] }));
		console.log(JSON.stringify({ ...out, file }));
	}
})();
